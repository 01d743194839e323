"""Functions that add up along axes, with the names of the Array API standard where it has them."""

from __future__ import annotations

from ndkernels import _binding
from ndkernels._checks import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["logsumexp", "mean", "prod", "std", "sum", "var"]


def sum(  # noqa: A001 -- the standard's name
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Add up the elements along one axis, several, or all.

    The additions are pairwise, so the error grows with the logarithm of their number.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis or axes to add up; None stands for all. Negative ones count from the last.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype; without dimensions where all axes are gone. The sum over nothing is 0.

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
    >>> sum(np.float32([[1, 2], [3, 4]]), axis=0)
    array([4., 6.], dtype=float32)
    """
    return _binding.sum(x, axis, keepdims, out)


def prod(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Multiply the elements along one axis, several, or all.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis or axes to multiply; None stands for all. Negative ones count from the last.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype; without dimensions where all axes are gone. The product over
    nothing is 1.

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
    >>> prod(np.float32([[1, 2], [3, 4]]), axis=0)
    array([3., 8.], dtype=float32)
    """
    return _binding.prod(x, axis, keepdims, out)


def mean(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Take the arithmetic mean along one axis, several, or all.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis or axes to average over; None stands for all. Negative ones count from the last.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype; without dimensions where all axes are gone. The mean of nothing is
    NaN, without a warning.

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
    >>> mean(np.float32([[1, 2], [3, 4]]), axis=0)
    array([2., 3.], dtype=float32)
    """
    return _binding.mean(x, axis, keepdims, out)


def var(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    correction: float = 0.0,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Take the variance along one axis, several, or all.

    The sum of squared deviations from the mean, divided by the number of elements less `correction`. The mean is known
    before the deviations are squared, so that it may be much larger than they are.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis or axes to look at; None stands for all. Negative ones count from the last.
    correction
        What the divisor is less than the number of elements: 1 for a sample. A divisor below 0 counts as 0.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype; without dimensions where all axes are gone. NaN where a divisor is 0
    and the deviations are too, without a warning.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, an `axis` that is neither None, an integer nor a
        tuple of integers, a `correction` that is no number, and
        a `keepdims` that is neither True nor False.
    ValueError
        for an axis that is out of range or given twice, another device, elements that are not aligned, more than 32
        dimensions, and an `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> var(np.float32([[1, 2], [3, 6]]), axis=0)
    array([1., 4.], dtype=float32)
    """
    return _binding.var(x, axis, keepdims, out, number(correction, "correction"))


def std(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    correction: float = 0.0,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Take the standard deviation along one axis, several, or all: the square root of `var`.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or
        the buffer protocol. It is read where it lies, nothing is copied.
    axis
        The axis or axes to look at; None stands for all. Negative ones count from the last.
    correction
        What the divisor is less than the number of elements: 1 for a sample. A divisor below 0 counts as 0.
    keepdims
        Whether those axes stay, with an extent of 1.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype; without dimensions where all axes are gone. NaN where a divisor is 0
    and the deviations are too, without a warning.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, an `axis` that is neither None, an integer nor a
        tuple of integers, a `correction` that is no number, and
        a `keepdims` that is neither True nor False.
    ValueError
        for an axis that is out of range or given twice, another device, elements that are not aligned, more than 32
        dimensions, and an `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> std(np.float32([[1, 2], [3, 6]]), axis=0)
    array([1., 2.], dtype=float32)
    """
    return _binding.std(x, axis, keepdims, out, number(correction, "correction"))


def logsumexp(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
) -> NDArray[Any]:
    """Take the logarithm of the sum of the exponentials along one axis, several, or all, as in torch.

    The largest element is taken out first, so nothing overflows.

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
    `out`, or a new NumPy array of x's dtype; without dimensions where all axes are gone. -inf over nothing, and
    where all elements are -inf; +inf where one is.

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
    >>> logsumexp(np.float64([[1000, 1000], [-1000, -1000]]), axis=1)
    array([1000.69314718, -999.30685282])
    """
    return _binding.logsumexp(x, axis, keepdims, out)
