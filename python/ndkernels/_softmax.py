"""softmax, with the name and the meaning it has in torch.nn.functional."""

from __future__ import annotations

from ndkernels import _binding
from ndkernels._checks import array, axis_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["softmax"]


def softmax(x: Array, /, *, axis: int = -1, out: Array | None = None) -> NDArray[Any]:
    """Return exp(x) divided by its sum along an axis.

    Parameters
    ----------
    x
        An array of float32 or float64 with one dimension at least.
    axis
        Along which axis the results add up to 1.
    out
        Where the result goes: a writable array of x's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's shape and dtype. Where NaN or +inf lies along the axis, all of it is NaN.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and an `axis` that is no integer.
    ValueError
        for an axis that is out of range, another device, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.float64([0, 0]))
    array([0.5, 0.5])
    """
    x = array(x, "x")
    return _binding.call("softmax", (x,), ((x.shape, x.dtype, out),), (axis_in(axis, x.ndim),), ())  # type: ignore[no-any-return]
