"""The linear layer, with the name and the meaning it has in torch.nn.functional, and its gradients."""

from __future__ import annotations

from math import prod

from ndkernels import _binding
from ndkernels._checks import array, choice, optional_array, same_dtype
from ndkernels._packed import PackedWeights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["linear", "linear_backward"]

_DTYPES = _binding.FLOATS | _binding.DTYPES["float16"] | _binding.DTYPES["bfloat16"]
_ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh")  # in the order of gemm/epilogue.hpp, from 1 on


def _check(x: NDArray[Any], weight: NDArray[Any]) -> None:
    same_dtype(x.dtype, weight=weight)
    if x.ndim == 0:
        raise ValueError(f"x: has {x.ndim} dimensions; accepted are 1 or more. Use multiply for a scalar.")
    if weight.ndim != 2 or weight.shape[1] != x.shape[-1]:
        raise ValueError(
            f"weight: has shape {weight.shape}; accepted is (out_features, {x.shape[-1]}), because the last axis of x has "
            f"{x.shape[-1]} features. Transpose or reshape one of them first."
        )


def linear(
    x: Array,
    weight: Array | PackedWeights,
    /,
    bias: Array | None = None,
    *,
    activation: str | None = None,
    out: Array | None = None,
) -> NDArray[Any]:
    """Return activation(x @ weight.T + bias), computed in one pass.

    Parameters
    ----------
    x
        An array of float32, float64, float16 or bfloat16 of shape (..., in_features); any strides.
    weight
        An array of the same dtype of shape (out_features, in_features), or what `prepack` made of one.
    bias
        An array of the same dtype of shape (out_features,), or None.
    activation
        What is applied to the sums: None, 'relu', 'gelu' (with the error function), 'gelu_tanh' (its approximation
        with tanh), 'silu', 'sigmoid' or 'tanh', all as in torch.nn.functional.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with the inputs.

    Returns
    -------
    `out`, or a new NumPy array of shape (..., out_features) and x's dtype. 16-bit floats are added up as float32 and
    rounded once, after the activation.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, two dtypes, and an `activation` that is no string.
    ValueError
        for shapes that do not fit, another activation, another device, and an `out` that does not fit.

    Notes
    -----
    The definition is that of torch.nn.functional.linear, and of ONNX's Gemm with transB=1.

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.float32([1, 2]), np.float32([[1, 1], [-1, 0]]), activation="relu")
    array([3., 0.], dtype=float32)
    """
    packed = None
    if isinstance(weight, PackedWeights):
        packed, weight = weight.buffers_for("linear")[0], weight.weight
    x, weight, bias = array(x, "x", _DTYPES), array(weight, "weight", _DTYPES), optional_array(bias, "bias", _DTYPES)
    _check(x, weight)
    same_dtype(x.dtype, bias=bias)
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"bias: has shape {bias.shape}; accepted is {weight.shape[:1]}, one element per row of weight. Reshape it "
            "first, or pass None."
        )
    number = 0 if activation is None else 1 + choice(activation, "activation", _ACTIVATIONS)
    result = (*x.shape[:-1], weight.shape[0])
    outputs = ((result, x.dtype, out),)
    return _binding.call_packed("linear", (x, weight, bias), outputs, (number,), (), packed)  # type: ignore[no-any-return]


def linear_backward(grad_out: Array, x: Array, weight: Array, /) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of linear (without an activation) by its arguments.

    Parameters
    ----------
    grad_out
        The gradient by the result: an array of shape (..., out_features).
    x, weight
        The arguments of linear, of shapes (..., in_features) and (out_features, in_features), of grad_out's dtype.

    Returns
    -------
    The gradients by x, by weight and by bias, new NumPy arrays of their shapes. Those by weight and bias are sums over
    all leading axes; where these cannot be seen as one axis, as in a transposed view, a copy is made first.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype than float32, float64, float16 and bfloat16, and two dtypes.
    ValueError
        for shapes that do not fit, and another device.

    Examples
    --------
    >>> import numpy as np
    >>> linear_backward(np.float32([1]), np.float32([2, 3]), np.float32([[4, 5]]))
    (array([4., 5.], dtype=float32), array([[2., 3.]], dtype=float32), array([1.], dtype=float32))
    """
    x, weight, grad_out = array(x, "x", _DTYPES), array(weight, "weight", _DTYPES), array(grad_out, "grad_out", _DTYPES)
    _check(x, weight)
    same_dtype(x.dtype, grad_out=grad_out)
    expected = (*x.shape[:-1], weight.shape[0])
    if grad_out.shape != expected:
        raise ValueError(
            f"grad_out: has shape {grad_out.shape}; accepted is {expected}, that of the result. Reshape it."
        )
    rows = prod(x.shape[:-1])
    gradients = grad_out.reshape(rows, weight.shape[0])
    grad_x = _binding.matmul(grad_out, weight, None)
    grad_weight = _binding.matmul(gradients.T, x.reshape(rows, x.shape[-1]), None)
    # A product with ones, so that 16-bit floats are added up as float32, too.
    grad_bias = _binding.matmul(gradients.dtype.type(1).repeat(rows), gradients, None)
    return grad_x, grad_weight, grad_bias
