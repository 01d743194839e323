"""softmax and its logarithm, with the names and the meaning they have in torch.nn.functional."""

from __future__ import annotations

from ndkernels import _binding
from ndkernels._checks import array, axis_in, same_dtype, same_shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


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
    return _along("softmax", x, axis, out)


def log_softmax(x: Array, /, *, axis: int = -1, out: Array | None = None) -> NDArray[Any]:
    """Return the logarithm of softmax: x - log(sum(exp(x))) along an axis, without its overflows and cancellations.

    The parameters, the result and the errors are those of `softmax`.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.float64([0, 1000]))
    array([-1000.,     0.])
    """
    return _along("log_softmax", x, axis, out)


def softmax_backward(grad_out: Array, result: Array, /, *, axis: int = -1) -> NDArray[Any]:
    """Return the gradient of x, from that of the result of `softmax(x, axis=axis)` and the result itself.

    Parameters
    ----------
    grad_out, result
        Arrays of one shape and dtype, float32 or float64.
    axis
        As in `softmax`.

    Returns
    -------
    A new array of that shape: result * (grad_out - sum(grad_out * result)).

    Raises
    ------
    TypeError, ValueError
        as `softmax`, and for shapes or dtypes that differ.
    """
    return _backward("softmax_backward", grad_out, result, axis)


def log_softmax_backward(grad_out: Array, result: Array, /, *, axis: int = -1) -> NDArray[Any]:
    """Return the gradient of x, from that of the result of `log_softmax(x, axis=axis)` and the result itself.

    It is grad_out - exp(result) * sum(grad_out); parameters and errors are those of `softmax_backward`.
    """
    return _backward("log_softmax_backward", grad_out, result, axis)


def _along(name: str, x: Any, axis: Any, out: Any) -> NDArray[Any]:
    x = array(x, "x")
    return _binding.call(name, (x,), ((x.shape, x.dtype, out),), (axis_in(axis, x.ndim),), ())  # type: ignore[no-any-return]


def _backward(name: str, grad_out: Any, result: Any, axis: Any) -> NDArray[Any]:
    result = array(result, "result")
    grad_out = array(grad_out, "grad_out")
    same_dtype(result.dtype, grad_out=grad_out)
    same_shape(grad_out, "grad_out", result.shape, "the result")
    outputs = ((result.shape, result.dtype, None),)
    return _binding.call(name, (grad_out, result), outputs, (axis_in(axis, result.ndim),), ())  # type: ignore[no-any-return]
