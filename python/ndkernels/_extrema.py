"""Functions that select along axes, with the names of the Array API standard."""

from __future__ import annotations

from ndkernels import _binding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["all", "any", "argmax", "argmin", "max", "min"]


def max(  # noqa: A001 -- the standard's name
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Take the largest element along one axis, several, or all.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis or axes to look at; None stands for all. Negative ones count from the last.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype; without dimensions where all axes are gone. NaN where there is one.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, an `axis` that is neither None, an integer nor a
        tuple of integers, and
        a `keepdims` that is neither True nor False.
    ValueError
        for an axis that is out of range or given twice, no elements along the axis, another device, elements that are not aligned, more than 32
        dimensions, and an `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> max(np.float32([[1, 4], [3, 2]]), axis=0)
    array([3., 4.], dtype=float32)
    """
    return _binding.max(x, axis, keepdims, out)


def min(  # noqa: A001 -- the standard's name
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Take the smallest element along one axis, several, or all.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis or axes to look at; None stands for all. Negative ones count from the last.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype; without dimensions where all axes are gone. NaN where there is one.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, an `axis` that is neither None, an integer nor a
        tuple of integers, and
        a `keepdims` that is neither True nor False.
    ValueError
        for an axis that is out of range or given twice, no elements along the axis, another device, elements that are not aligned, more than 32
        dimensions, and an `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> min(np.float32([[1, 4], [3, 2]]), axis=0)
    array([1., 2.], dtype=float32)
    """
    return _binding.min(x, axis, keepdims, out)


def argmax(
    x: Array,
    /,
    *,
    axis: int | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Find the place of the largest element along an axis, or among all elements in the order of C.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis to look along; None stands for all elements as one row. Negative ones count from the last.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of int64: the first of several places, and that of the first NaN where there is one.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, an `axis` that is neither None nor an
        integer, and
        a `keepdims` that is neither True nor False.
    ValueError
        for an axis that is out of range, no elements along the axis, another device, elements that are not aligned, more than 32
        dimensions, and an `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> argmax(np.float32([[1, 4], [3, 2]]), axis=0)
    array([1, 0])
    """
    return _binding.argmax(x, axis, keepdims, out)


def argmin(
    x: Array,
    /,
    *,
    axis: int | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Find the place of the smallest element along an axis, or among all elements in the order of C.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis to look along; None stands for all elements as one row. Negative ones count from the last.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of int64: the first of several places, and that of the first NaN where there is one.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, an `axis` that is neither None nor an
        integer, and
        a `keepdims` that is neither True nor False.
    ValueError
        for an axis that is out of range, no elements along the axis, another device, elements that are not aligned, more than 32
        dimensions, and an `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> argmin(np.float32([[1, 4], [3, 2]]), axis=0)
    array([0, 1])
    """
    return _binding.argmin(x, axis, keepdims, out)


def all(  # noqa: A001 -- the standard's name
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Tell whether all elements along one axis, several, or all are true.

    Parameters
    ----------
    x
        An array of float32, float64 or bool of any shape: a NumPy array or anything else in CPU memory with `__dlpack__`
        or the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis or axes to look at; None stands for all. Negative ones count from the last.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of bool. What is not 0 is true, NaN too; over nothing the result is True.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, an `axis` that is neither None, an integer nor a
        tuple of integers, and
        a `keepdims` that is neither True nor False.
    ValueError
        for an axis that is out of range or given twice, another device, elements that are not aligned, more than 32
        dimensions, and an `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> all(np.float32([[1, 0], [3, 2]]), axis=0)
    array([ True, False])
    """
    return _binding.all(x, axis, keepdims, out)


def any(  # noqa: A001 -- the standard's name
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Tell whether an element along one axis, several, or all is true.

    Parameters
    ----------
    x
        An array of float32, float64 or bool of any shape: a NumPy array or anything else in CPU memory with `__dlpack__`
        or the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis or axes to look at; None stands for all. Negative ones count from the last.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of bool. What is not 0 is true, NaN too; over nothing the result is False.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, an `axis` that is neither None, an integer nor a
        tuple of integers, and
        a `keepdims` that is neither True nor False.
    ValueError
        for an axis that is out of range or given twice, another device, elements that are not aligned, more than 32
        dimensions, and an `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> any(np.float32([[1, 0], [3, 0]]), axis=0)
    array([ True, False])
    """
    return _binding.any(x, axis, keepdims, out)
