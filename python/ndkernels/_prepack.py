"""prepack: weights are brought into the order in which kernels read them once, and not at every call."""

from __future__ import annotations

from ndkernels import _binding, _contractions
from ndkernels._checks import array, choice
from ndkernels._packed import PackedWeights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["PackedWeights", "prepack"]

_PRODUCTS = _binding.FLOATS | _binding.DTYPES["float16"] | _binding.DTYPES["bfloat16"]


def prepack(op: str, weight: Any, /, **options: Any) -> PackedWeights:
    """Prepare weights once for many calls: the function takes what is returned in place of them.

    Parameters
    ----------
    op
        The function: 'linear', 'matmul', 'conv1d', 'conv2d', 'conv3d', 'lstm' or 'gru'.
    weight
        What the function takes as weights, in any of its dtypes: for 'matmul' the right operand, one matrix (k, n).
        They are copied, so that later changes of the array change nothing.
    options
        For convolutions stride, dilation and groups, which a call has to repeat; and input_shape (with padding and
        layout), the shape of the images, where it is known: then it is the order that suits them. Images of other
        shapes are taken all the same. For 'lstm' and 'gru' layers and bidirectional, which a call has to repeat.

    Returns
    -------
    An object for the argument `weight` (`weights`, x2) of that function. Results are the same to the last bit as with its
    attribute `weight`; `gain` says whether there was anything to prepare, and `nbytes` what it takes in memory.

    Raises
    ------
    TypeError
        for an op that is no string, an option that op does not have, and what op itself raises for its weights.
    ValueError
        for an unknown op, and weights and options that op refuses.
    MemoryError
        where there is no memory for the copy.

    Examples
    --------
    >>> import numpy as np
    >>> from ndkernels import linear
    >>> packed = prepack("linear", np.float32([[1, 1], [-1, 0]]))
    >>> linear(np.float32([[1, 2], [3, 4]]), packed)
    array([[ 3., -1.],
           [ 7., -3.]], dtype=float32)
    """
    number = choice(op, "op", tuple(_PACKERS))
    packer, accepted = tuple(_PACKERS.values())[number]
    for name in options:
        if name not in accepted:
            words = " and ".join(accepted) or "none"
            raise TypeError(f"{name}: is no option of prepack({op!r}, ...); accepted are {words}. Leave it away.")
    return packer(op, weight, **options)


def _kept(weight: NDArray[Any], order: Any) -> NDArray[Any]:
    copy: NDArray[Any] = weight.copy(order=order)
    copy.flags.writeable = False
    return copy


def _linear(op: str, weight: Any) -> PackedWeights:
    weight = array(weight, "weight", _PRODUCTS)
    if weight.ndim != 2:
        raise ValueError(
            f"weight: has shape {weight.shape}; accepted is (out_features, in_features). Reshape it first."
        )
    # Rows or columns in one piece stay that: it decides how one row is multiplied.
    weight = _kept(weight, "K")
    return PackedWeights(op, weight, weight.shape, {}, (_binding.Packed("matmul_pack", (weight.T,), []),))


def _matmul(op: str, weight: Any) -> PackedWeights:
    weight = array(weight, "weight", _PRODUCTS | _binding.DTYPES["int8"])
    if weight.ndim != 2:
        raise ValueError(
            f"weight: has shape {weight.shape}; accepted is one matrix, (k, n). Call prepack for each of several."
        )
    weight = _kept(weight, "K")
    buffers = (_binding.Packed("matmul_pack", (weight,), []),)
    _contractions.packed_types.add(PackedWeights)  # from here on, matmul looks for them
    return PackedWeights(op, weight, weight.shape, {}, buffers)


def _convolution(
    op: str, weight: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: Any = 1, layout: Any = None,
    input_shape: Any = None,
) -> PackedWeights:  # fmt: skip
    import numpy as np

    from ndkernels._checks import integers
    from ndkernels._convolution import LAYOUTS, Geometry, check_channels, images

    spatial = int(op[-2])
    weight = _kept(images(weight, "weight", spatial), "C")
    default = LAYOUTS[spatial][0]
    geometry = Geometry(
        spatial, weight.shape[2:], stride, padding, dilation, groups, default if layout is None else layout
    )
    x = y = None
    if input_shape is not None:
        if not isinstance(input_shape, (tuple, list)):
            raise TypeError(f"input_shape: got {type(input_shape).__name__}; accepted is a tuple. Pass x.shape.")
        shape = integers(tuple(input_shape), spatial + 2, "input_shape")
        batch, channels, extents = geometry.split(shape)
        check_channels(geometry.groups, channels, weight)
        # Nobody looks at the elements.
        x = np.empty(shape, weight.dtype)
        y = np.empty(geometry.join(batch, weight.shape[0], geometry.result(extents)), weight.dtype)
    else:
        check_channels(geometry.groups, geometry.groups * weight.shape[1], weight)
    buffer = _binding.Packed("convolution_pack", (weight, x, y), list(geometry.settings()))
    return PackedWeights(op, weight, weight.shape, geometry.packed_options(), (buffer,))


def _recurrent(op: str, weight: Any, layers: Any = 1, bidirectional: Any = False) -> PackedWeights:
    from ndkernels._recurrent import pack_network

    weights, options, buffers = pack_network(op, weight, layers, bidirectional)
    return PackedWeights(op, weights, weights[0][0].shape, options, buffers)


_CONVOLUTION = (_convolution, ("stride", "padding", "dilation", "groups", "layout", "input_shape"))
_PACKERS: dict[str, tuple[Callable[..., PackedWeights], tuple[str, ...]]] = {
    "linear": (_linear, ()),
    "matmul": (_matmul, ()),
    "conv1d": _CONVOLUTION,
    "conv2d": _CONVOLUTION,
    "conv3d": _CONVOLUTION,
    "lstm": (_recurrent, ("layers", "bidirectional")),
    "gru": (_recurrent, ("layers", "bidirectional")),
}
