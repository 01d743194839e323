"""Functions of single elements, with the names of the Array API standard and the broadcasting of NumPy.

What they compute is in the kernel library that was loaded; checking arguments is in the binding. Small calls hold the
GIL, because giving it back would cost more than they do; larger ones run without it.
"""

from __future__ import annotations

from ndkernels import _binding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["add", "divide", "exp", "maximum", "multiply", "relu", "subtract"]


def add(x1: Array, x2: Array, /, *, out: Array | None = None) -> NDArray[Any]:
    """Add two arrays, element by element.

    Parameters
    ----------
    x1, x2
        Arrays of one dtype, float32 or float64, whose shapes broadcast as in NumPy: NumPy arrays and anything else in
        CPU memory with `__dlpack__` or the buffer protocol. They are read where they lie, nothing is copied.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with the inputs.

    Returns
    -------
    `out`, or a new NumPy array of the inputs' dtype and broadcast shape.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, and two dtypes: nothing is converted silently.
    ValueError
        for shapes that do not broadcast, another device, elements that are not aligned, more than 32 dimensions, and an
        `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> add(np.float32([[1], [2]]), np.float32([3, 4]))
    array([[4., 5.],
           [5., 6.]], dtype=float32)
    """
    return _binding.add(x1, x2, out)


def subtract(x1: Array, x2: Array, /, *, out: Array | None = None) -> NDArray[Any]:
    """Subtract `x2` from `x1`, element by element.

    Parameters
    ----------
    x1, x2
        Arrays of one dtype, float32 or float64, whose shapes broadcast as in NumPy: NumPy arrays and anything else in
        CPU memory with `__dlpack__` or the buffer protocol. They are read where they lie, nothing is copied.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with the inputs.

    Returns
    -------
    `out`, or a new NumPy array of the inputs' dtype and broadcast shape.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, and two dtypes: nothing is converted silently.
    ValueError
        for shapes that do not broadcast, another device, elements that are not aligned, more than 32 dimensions, and an
        `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> subtract(np.float32([[1], [2]]), np.float32([3, 4]))
    array([[-2., -3.],
           [-1., -2.]], dtype=float32)
    """
    return _binding.subtract(x1, x2, out)


def multiply(x1: Array, x2: Array, /, *, out: Array | None = None) -> NDArray[Any]:
    """Multiply two arrays, element by element.

    Parameters
    ----------
    x1, x2
        Arrays of one dtype, float32 or float64, whose shapes broadcast as in NumPy: NumPy arrays and anything else in
        CPU memory with `__dlpack__` or the buffer protocol. They are read where they lie, nothing is copied.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with the inputs.

    Returns
    -------
    `out`, or a new NumPy array of the inputs' dtype and broadcast shape.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, and two dtypes: nothing is converted silently.
    ValueError
        for shapes that do not broadcast, another device, elements that are not aligned, more than 32 dimensions, and an
        `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> multiply(np.float32([[1], [2]]), np.float32([3, 4]))
    array([[3., 4.],
           [6., 8.]], dtype=float32)
    """
    return _binding.multiply(x1, x2, out)


def divide(x1: Array, x2: Array, /, *, out: Array | None = None) -> NDArray[Any]:
    """Divide `x1` by `x2`, element by element.

    Parameters
    ----------
    x1, x2
        Arrays of one dtype, float32 or float64, whose shapes broadcast as in NumPy: NumPy arrays and anything else in
        CPU memory with `__dlpack__` or the buffer protocol. They are read where they lie, nothing is copied.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with the inputs.

    Returns
    -------
    `out`, or a new NumPy array of the inputs' dtype and broadcast shape. Division by zero gives an infinity or
    NaN, as IEEE 754 says, and no warning.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, and two dtypes: nothing is converted silently.
    ValueError
        for shapes that do not broadcast, another device, elements that are not aligned, more than 32 dimensions, and an
        `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> divide(np.float32([[1], [2]]), np.float32([3, 4]))
    array([[0.33333334, 0.25      ],
           [0.6666667 , 0.5       ]], dtype=float32)
    """
    return _binding.divide(x1, x2, out)


def maximum(x1: Array, x2: Array, /, *, out: Array | None = None) -> NDArray[Any]:
    """Take the larger of two arrays, element by element.

    Parameters
    ----------
    x1, x2
        Arrays of one dtype, float32 or float64, whose shapes broadcast as in NumPy: NumPy arrays and anything else in
        CPU memory with `__dlpack__` or the buffer protocol. They are read where they lie, nothing is copied.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with the inputs.

    Returns
    -------
    `out`, or a new NumPy array of the inputs' dtype and broadcast shape. It is NaN where one of the inputs is.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, and two dtypes: nothing is converted silently.
    ValueError
        for shapes that do not broadcast, another device, elements that are not aligned, more than 32 dimensions, and an
        `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> maximum(np.float32([[1], [2]]), np.float32([3, 4]))
    array([[3., 4.],
           [3., 4.]], dtype=float32)
    """
    return _binding.maximum(x1, x2, out)


def relu(x: Array, /, *, out: Array | None = None) -> NDArray[Any]:
    """Replace what is negative by 0: max(x, 0), element by element.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    out
        Where the result goes: a writable array of x's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype and shape. NaN stays NaN.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, and another dtype.
    ValueError
        for another device, elements that are not aligned, more than 32 dimensions, and an `out` that is read-only, of
        another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> relu(np.float64([-1, 0, 2]))
    array([0., 0., 2.])
    """
    return _binding.relu(x, out)


def exp(x: Array, /, *, out: Array | None = None) -> NDArray[Any]:
    """Raise e to the power of each element.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    out
        Where the result goes: a writable array of x's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype and shape. Overflow gives infinity, and no
    warning.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, and another dtype.
    ValueError
        for another device, elements that are not aligned, more than 32 dimensions, and an `out` that is read-only, of
        another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> exp(np.float64([0, 1]))
    array([1.        , 2.71828183])
    """
    return _binding.exp(x, out)
