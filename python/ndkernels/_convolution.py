"""Convolutions and their gradients, with the names and the meaning they have in torch.nn.functional."""

from __future__ import annotations

from ndkernels import _binding
from ndkernels._checks import array, integer, integers, optional_array, same_dtype
from ndkernels._packed import PackedWeights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

    Extents = int | tuple[int, ...]
    Padding = int | str | tuple[int, ...] | tuple[tuple[int, int], ...]

__all__ = [
    "conv1d",
    "conv1d_backward",
    "conv2d",
    "conv2d_backward",
    "conv3d",
    "conv3d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "im2col",
]

LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
_AXES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


class Geometry:
    """Where the weights meet the images along the spatial axes: the checked arguments of one call."""

    def __init__(
        self, spatial: int, kernel: tuple[int, ...], stride: Any, padding: Any, dilation: Any, groups: Any, layout: Any
    ) -> None:
        self.spatial = spatial
        self.kernel = kernel
        self.stride = integers(stride, spatial, "stride", least=1)
        self.dilation = integers(dilation, spatial, "dilation", least=1)
        self.groups = integer(groups, "groups", least=1)
        self.channels_last = _channels_last(layout, spatial)
        self.pads = self._pads(padding)

    def _pads(self, padding: Any) -> tuple[tuple[int, int], ...]:
        """Return the padding at the begin and at the end of each axis."""
        if isinstance(padding, str):
            if padding == "valid":
                return ((0, 0),) * self.spatial
            if padding == "same":
                if any(step != 1 for step in self.stride):
                    raise ValueError(
                        f"padding: 'same' has no meaning with stride {self.stride}; accepted is stride 1. Pass numbers."
                    )
                reach = [d * (k - 1) for d, k in zip(self.dilation, self.kernel, strict=True)]
                return tuple((max(r, 0) // 2, max(r, 0) - max(r, 0) // 2) for r in reach)
            raise ValueError(
                f"padding: got {padding!r}; accepted are 'same', 'valid', an integer, {self.spatial} integers, and "
                f"{self.spatial} pairs (begin, end). Pass one of these."
            )
        if isinstance(padding, (tuple, list)) and any(isinstance(each, (tuple, list)) for each in padding):
            if len(padding) != self.spatial or any(not isinstance(each, (tuple, list)) for each in padding):
                raise ValueError(
                    f"padding: got {padding!r}; with pairs, one for each of {' and '.join(_AXES[self.spatial])} is "
                    "needed. Pass them."
                )
            pairs = tuple(integers(tuple(each), 2, "padding") for each in padding)
            return tuple((begin, end) for begin, end in pairs)
        return tuple((each, each) for each in integers(padding, self.spatial, "padding"))

    def reach(self) -> tuple[int, ...]:
        """Return how many places the weights span along each axis."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    def result(self, extents: tuple[int, ...]) -> tuple[int, ...]:
        """Return the spatial extents of the convolution of images."""
        if 0 in self.kernel:
            raise ValueError(f"weight: has no elements along a spatial axis, {self.kernel}. Pass a larger kernel.")
        padded = [extent + sum(pads) for extent, pads in zip(extents, self.pads, strict=True)]
        for axis, size, reach in zip(_AXES[self.spatial], padded, self.reach(), strict=True):
            if size < reach:
                raise ValueError(
                    f"weight: the kernel spans {reach} places along the {axis} (dilation included), and the padded input "
                    f"has {size}: the kernel is larger than the input. Pass a smaller kernel or more padding."
                )
        return tuple((size - r) // step + 1 for size, r, step in zip(padded, self.reach(), self.stride, strict=True))

    def settings(self) -> tuple[int, ...]:
        """Return the integers that the operators begin with."""
        missing = 3 - self.spatial
        begin = tuple(pads[0] for pads in self.pads)
        return (
            int(self.channels_last),
            self.groups,
            *((1,) * missing + self.stride),
            *((1,) * missing + self.dilation),
            *((0,) * missing + begin),
        )

    def packed_options(self) -> dict[str, Any]:
        """Return what weights are packed for."""
        return {"stride": self.stride, "dilation": self.dilation, "groups": self.groups}

    def split(self, shape: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
        """Return batch, channels and spatial extents of a shape."""
        if self.channels_last:
            return shape[0], shape[-1], tuple(shape[1:-1])
        return shape[0], shape[1], tuple(shape[2:])

    def join(self, batch: int, channels: int, extents: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of images."""
        return (batch, *extents, channels) if self.channels_last else (batch, channels, *extents)


def _channels_last(layout: Any, spatial: int) -> bool:
    """Return whether a layout has the channels at the end."""
    first, last = LAYOUTS[spatial]
    if layout not in {"NCHW", "NHWC", first, last}:
        kind = ValueError if isinstance(layout, str) else TypeError
        raise kind(f"layout: got {layout!r}; accepted are {first!r} and {last!r}. Pass one of these.")
    return bool(layout[-1] == "C")


def images(x: Any, name: str, spatial: int) -> NDArray[Any]:
    x = array(x, name)
    if x.ndim != spatial + 2:
        raise ValueError(
            f"{name}: has {x.ndim} dimensions; accepted are {spatial + 2}: batch, channels and "
            f"{' and '.join(_AXES[spatial])}. Reshape it."
        )
    return x  # type: ignore[no-any-return]


def check_channels(groups: int, channels: int, weight: NDArray[Any]) -> None:
    """Refuse weights that do not fit the channels that they are convolved with."""
    if weight.shape[0] % groups:
        raise ValueError(
            f"groups: {groups} does not divide weight's {weight.shape[0]} filters. Pass a divisor, or another weight."
        )
    if channels != groups * weight.shape[1]:
        raise ValueError(
            f"weight: has {weight.shape[1]} channels per group and {groups} groups, and the input has {channels} channels. "
            f"Pass a weight of shape (filters, channels / groups, ...)."
        )


def _check_bias(bias: NDArray[Any] | None, count: int) -> None:
    if bias is not None and bias.shape != (count,):
        raise ValueError(f"bias: has shape {bias.shape}, and ({count},) is needed: one element per output channel.")


def _convolve(
    spatial: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any, layout: Any,
    out: Any,
) -> Any:  # fmt: skip
    x = images(x, "x", spatial)
    given = weight
    if isinstance(given, PackedWeights):
        given.check_op(f"conv{spatial}d")
    weight = images(weight.weight if isinstance(given, PackedWeights) else weight, "weight", spatial)
    bias = optional_array(bias, "bias")
    same_dtype(x.dtype, weight=weight, bias=bias)
    geometry = Geometry(spatial, weight.shape[2:], stride, padding, dilation, groups, layout)
    batch, channels, extents = geometry.split(x.shape)
    check_channels(geometry.groups, channels, weight)
    _check_bias(bias, weight.shape[0])
    shape = geometry.join(batch, weight.shape[0], geometry.result(extents))
    packed = None
    if isinstance(given, PackedWeights):
        (packed,) = given.buffers_for(f"conv{spatial}d", **geometry.packed_options())
    outputs = ((shape, x.dtype, out),)
    return _binding.call_packed("convolution", (x, weight, bias), outputs, geometry.settings(), (), packed)


def _convolve_backward(
    spatial: int, grad_out: Any, x: Any, weight: Any, stride: Any, padding: Any, dilation: Any, groups: Any, layout: Any
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    grad_out = images(grad_out, "grad_out", spatial)
    x = images(x, "x", spatial)
    weight = images(weight, "weight", spatial)
    same_dtype(x.dtype, grad_out=grad_out, weight=weight)
    geometry = Geometry(spatial, weight.shape[2:], stride, padding, dilation, groups, layout)
    batch, channels, extents = geometry.split(x.shape)
    check_channels(geometry.groups, channels, weight)
    shape = geometry.join(batch, weight.shape[0], geometry.result(extents))
    _check_gradient(grad_out, shape)
    settings = geometry.settings()
    grad_x = _binding.call(
        "convolution_input_gradient", (grad_out, weight, None), ((x.shape, x.dtype, None),), settings, ()
    )
    grad_weight = _binding.call(
        "convolution_weight_gradient", (grad_out, x), ((weight.shape, x.dtype, None),), settings, ()
    )
    return grad_x, grad_weight, _bias_gradient(grad_out, geometry)


def _check_gradient(grad_out: NDArray[Any], shape: tuple[int, ...]) -> None:
    if grad_out.shape != shape:
        raise ValueError(
            f"grad_out: has shape {grad_out.shape}, and the result of the convolution has {shape}. Pass the gradient "
            "with respect to that result."
        )


def _bias_gradient(grad_out: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
    from ndkernels import sum as total

    channel_axis = grad_out.ndim - 1 if geometry.channels_last else 1
    return total(grad_out, axis=tuple(axis for axis in range(grad_out.ndim) if axis != channel_axis))


def conv1d(
    x: Array,
    weight: Array | PackedWeights,
    bias: Array | None = None,
    /,
    *,
    stride: Extents = 1,
    padding: Padding = 0,
    dilation: Extents = 1,
    groups: int = 1,
    layout: str = "NCW",
    out: Array | None = None,
) -> NDArray[Any]:
    """Return the convolution of signals with a kernel, as `conv2d` with one spatial axis.

    `layout` is 'NCW' or 'NWC' ('NCHW' and 'NHWC' are taken too); `weight` is (filters, channels / groups, width).

    Examples
    --------
    >>> import numpy as np
    >>> conv1d(np.float32([[[1, 2, 3, 4]]]), np.float32([[[1, 1]]]))
    array([[[3., 5., 7.]]], dtype=float32)
    """
    return _convolve(1, x, weight, bias, stride, padding, dilation, groups, layout, out)  # type: ignore[no-any-return]


def conv2d(
    x: Array,
    weight: Array | PackedWeights,
    bias: Array | None = None,
    /,
    *,
    stride: Extents = 1,
    padding: Padding = 0,
    dilation: Extents = 1,
    groups: int = 1,
    layout: str = "NCHW",
    out: Array | None = None,
) -> NDArray[Any]:
    """Return the convolution of images with a kernel (which is not turned over), as torch.nn.functional.conv2d.

    Parameters
    ----------
    x
        Images (batch, channels, height, width), or (batch, height, width, channels) with layout 'NHWC'; of float32 or
        float64.
    weight
        (filters, channels / groups, height, width) for every layout, of x's dtype; or what `prepack` made of it.
    bias
        One element per filter, of x's dtype.
    stride
        How far the kernel moves along each axis: an integer, or one per spatial axis.
    padding
        How many zeros x has around it: an integer, one per spatial axis, a pair (begin, end) per spatial axis, 'valid'
        for none, or 'same' for as many as make the result as large as `x`, one more at the end where they are odd
        (stride 1 only).
    dilation
        How far the elements of the kernel lie apart: an integer, or one per spatial axis.
    groups
        Into how many groups of channels and filters are divided; each group of filters sees its group of channels.
    layout
        'NCHW' or 'NHWC', of `x` and of the result.
    out
        Where the result goes: a writable array of the result's shape and x's dtype.

    Returns
    -------
    `out`, or a new NumPy array (batch, filters, height, width), in the order of the layout, with extents
    (extent + padding - dilation * (kernel - 1) - 1) // stride + 1.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, dtypes that differ, and numbers that are no integers.
    ValueError
        for shapes that do not fit each other, a kernel that is larger than the padded input, another device, and an
        `out` that does not fit.

    Notes
    -----
    Kernels of 3 by 3 with stride 1 may be computed in float32 with Winograd's algorithm F(4x4, 3x3), whose error is
    about 1e-5 of the largest element of the result, also where the result is small: one element of `x` that is far
    larger than all others costs the places beside it their last digits. Where something of the result is not finite,
    all is computed again without it, so that infinities and NaN stay where the kernel meets them.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d(np.ones((1, 1, 2, 3), "float32"), np.ones((1, 1, 2, 2), "float32"))
    array([[[[4., 4.]]]], dtype=float32)
    """
    return _convolve(2, x, weight, bias, stride, padding, dilation, groups, layout, out)  # type: ignore[no-any-return]


def conv3d(
    x: Array,
    weight: Array | PackedWeights,
    bias: Array | None = None,
    /,
    *,
    stride: Extents = 1,
    padding: Padding = 0,
    dilation: Extents = 1,
    groups: int = 1,
    layout: str = "NCDHW",
    out: Array | None = None,
) -> NDArray[Any]:
    """Return the convolution of volumes with a kernel, as `conv2d` with three spatial axes.

    `layout` is 'NCDHW' or 'NDHWC' ('NCHW' and 'NHWC' are taken too); `weight` is (filters, channels / groups, depth,
    height, width).

    Examples
    --------
    >>> import numpy as np
    >>> conv3d(np.ones((1, 1, 2, 2, 2), "float32"), np.ones((1, 1, 2, 2, 2), "float32"))
    array([[[[[8.]]]]], dtype=float32)
    """
    return _convolve(3, x, weight, bias, stride, padding, dilation, groups, layout, out)  # type: ignore[no-any-return]


def conv1d_backward(
    grad_out: Array,
    x: Array,
    weight: Array,
    /,
    *,
    stride: Extents = 1,
    padding: Padding = 0,
    dilation: Extents = 1,
    groups: int = 1,
    layout: str = "NCW",
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of `conv1d` with respect to x, weight and bias; see `conv2d_backward`."""
    return _convolve_backward(1, grad_out, x, weight, stride, padding, dilation, groups, layout)


def conv2d_backward(
    grad_out: Array,
    x: Array,
    weight: Array,
    /,
    *,
    stride: Extents = 1,
    padding: Padding = 0,
    dilation: Extents = 1,
    groups: int = 1,
    layout: str = "NCHW",
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of `conv2d` with respect to x, weight and bias.

    Parameters
    ----------
    grad_out
        The gradient with respect to the result of `conv2d`: of its shape and of x's dtype.
    x, weight, stride, padding, dilation, groups, layout
        What `conv2d` was given.

    Returns
    -------
    Three new NumPy arrays: the gradients with respect to x, to weight, and to a bias of one element per filter.

    Raises
    ------
    TypeError, ValueError
        as `conv2d` does, and for a `grad_out` of another shape.
    """
    return _convolve_backward(2, grad_out, x, weight, stride, padding, dilation, groups, layout)


def conv3d_backward(
    grad_out: Array,
    x: Array,
    weight: Array,
    /,
    *,
    stride: Extents = 1,
    padding: Padding = 0,
    dilation: Extents = 1,
    groups: int = 1,
    layout: str = "NCDHW",
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of `conv3d` with respect to x, weight and bias; see `conv2d_backward`."""
    return _convolve_backward(3, grad_out, x, weight, stride, padding, dilation, groups, layout)


class _Transposed:
    """The checked arguments of a transposed convolution: that of images x (N, channels) to (N, filters)."""

    def __init__(
        self, x: Any, weight: Any, stride: Any, padding: Any, output_padding: Any, dilation: Any, groups: Any,
        layout: Any,
    ) -> None:  # fmt: skip
        self.x = x = images(x, "x", 2)
        self.weight = weight = images(weight, "weight", 2)
        same_dtype(x.dtype, weight=weight)
        self.geometry = geometry = Geometry(
            2, weight.shape[2:], stride, integers(padding, 2, "padding"), dilation, groups, layout
        )
        more = integers(output_padding, 2, "output_padding")
        for extra, step, spread in zip(more, geometry.stride, geometry.dilation, strict=True):
            if extra >= max(step, spread):
                raise ValueError(
                    f"output_padding: {extra} is too large; accepted is less than the stride or the dilation, "
                    f"{max(step, spread)}. Pass less."
                )
        batch, channels, extents = geometry.split(x.shape)
        if weight.shape[0] != channels:
            raise ValueError(
                f"weight: has {weight.shape[0]} channels, and the input has {channels}. Pass a weight of shape "
                "(channels, filters / groups, height, width)."
            )
        if channels % geometry.groups:
            raise ValueError(f"groups: {geometry.groups} does not divide x's {channels} channels. Pass a divisor.")
        self.filters = weight.shape[1] * geometry.groups
        spans = tuple(
            (extent - 1) * step - sum(pads) + reach + extra
            for extent, step, pads, reach, extra in zip(
                extents, geometry.stride, geometry.pads, geometry.reach(), more, strict=True
            )
        )  # fmt: skip
        if min(spans) < 1 or 0 in geometry.kernel or 0 in extents:
            raise ValueError(
                f"x: images of {extents} and a kernel of {geometry.kernel} give a result of {spans}, which is empty. Pass "
                "larger ones, or less padding."
            )
        self.shape = geometry.join(batch, self.filters, spans)


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    /,
    *,
    stride: Extents = 1,
    padding: Extents = 0,
    output_padding: Extents = 0,
    dilation: Extents = 1,
    groups: int = 1,
    layout: str = "NCHW",
    out: Array | None = None,
) -> NDArray[Any]:
    """Return the transposed convolution of images with a kernel, as torch.nn.functional.conv_transpose2d.

    It is the gradient of `conv2d` with respect to its images: every element of `x` adds a copy of the kernel to the
    result.

    Parameters
    ----------
    x
        Images (batch, channels, height, width), or (batch, height, width, channels) with layout 'NHWC'; of float32 or
        float64.
    weight
        (channels, filters / groups, height, width) for every layout, of x's dtype.
    bias
        One element per filter, of x's dtype.
    stride, dilation, groups, layout
        As in `conv2d`.
    padding
        How many places are cut off the result on both sides: an integer, or one per spatial axis.
    output_padding
        How many places the result is longer at its end: an integer, or one per spatial axis, less than the stride or
        the dilation.
    out
        Where the result goes: a writable array of the result's shape and x's dtype.

    Returns
    -------
    `out`, or a new NumPy array (batch, filters, height, width), in the order of the layout, with extents
    (extent - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1.

    Raises
    ------
    TypeError, ValueError
        as `conv2d` does, and for a result that would be empty.

    Examples
    --------
    >>> import numpy as np
    >>> conv_transpose2d(np.float32([[[[1, 2]]]]), np.ones((1, 1, 1, 2), "float32"), stride=2)
    array([[[[1., 1., 2., 2.]]]], dtype=float32)
    """
    checked = _Transposed(x, weight, stride, padding, output_padding, dilation, groups, layout)
    offsets = optional_array(bias, "bias")
    same_dtype(checked.x.dtype, bias=offsets)
    _check_bias(offsets, checked.filters)
    return _binding.call(  # type: ignore[no-any-return]
        "convolution_input_gradient",
        (checked.x, checked.weight, offsets),
        ((checked.shape, checked.x.dtype, out),),
        checked.geometry.settings(),
        (),
    )


def conv_transpose2d_backward(
    grad_out: Array,
    x: Array,
    weight: Array,
    /,
    *,
    stride: Extents = 1,
    padding: Extents = 0,
    output_padding: Extents = 0,
    dilation: Extents = 1,
    groups: int = 1,
    layout: str = "NCHW",
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of `conv_transpose2d` with respect to x, weight and bias.

    Parameters
    ----------
    grad_out
        The gradient with respect to the result of `conv_transpose2d`: of its shape and of x's dtype.
    x, weight, stride, padding, output_padding, dilation, groups, layout
        What `conv_transpose2d` was given.

    Returns
    -------
    Three new NumPy arrays: the gradients with respect to x, to weight, and to a bias of one element per filter.

    Raises
    ------
    TypeError, ValueError
        as `conv_transpose2d` does, and for a `grad_out` of another shape.
    """
    checked = _Transposed(x, weight, stride, padding, output_padding, dilation, groups, layout)
    grad_out = images(grad_out, "grad_out", 2)
    same_dtype(checked.x.dtype, grad_out=grad_out)
    _check_gradient(grad_out, checked.shape)
    forward, settings = checked.x, checked.geometry.settings()
    grad_x = _binding.call(
        "convolution", (grad_out, checked.weight, None), ((forward.shape, forward.dtype, None),), settings, ()
    )
    grad_weight = _binding.call(
        "convolution_weight_gradient", (forward, grad_out), ((checked.weight.shape, forward.dtype, None),), settings, ()
    )
    return grad_x, grad_weight, _bias_gradient(grad_out, checked.geometry)


def im2col(
    x: Array,
    kernel_size: Extents,
    /,
    *,
    stride: Extents = 1,
    padding: Extents = 0,
    dilation: Extents = 1,
    out: Array | None = None,
) -> NDArray[Any]:
    """Return what a kernel meets at each of its places as columns, as torch.nn.functional.unfold.

    Parameters
    ----------
    x
        Images (batch, channels, height, width) of float32 or float64.
    kernel_size
        Height and width of the kernel, or one integer for both.
    stride, padding, dilation
        An integer, or one for height and one for width.
    out
        Where the result goes: a writable array of the result's shape and x's dtype.

    Returns
    -------
    `out`, or a new NumPy array (batch, channels * kernel height * kernel width, places): places in the order of rows,
    0 where the kernel lies beyond the image.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and numbers that are no integers.
    ValueError
        for other dimensions than 4, a kernel that is larger than the padded input, another device, and an `out` that
        does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> im2col(np.float32([[[[1, 2, 3]]]]), (1, 2))
    array([[[1., 2.],
            [2., 3.]]], dtype=float32)
    """
    x = images(x, "x", 2)
    kernel = integers(kernel_size, 2, "kernel_size", least=1)
    geometry = Geometry(2, kernel, stride, integers(padding, 2, "padding"), dilation, 1, "NCHW")
    height, width = geometry.result(x.shape[2:])
    shape = (x.shape[0], x.shape[1] * kernel[0] * kernel[1], height * width)
    return _binding.call(  # type: ignore[no-any-return]
        "im2col", (x,), ((shape, x.dtype, out),), (*geometry.settings(), *kernel, height, width), ()
    )
