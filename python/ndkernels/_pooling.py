"""What the functions of pooling have in common, for any number of axes: checks of arguments, and calls."""

from __future__ import annotations

from ndkernels import _binding
from ndkernels._checks import array, flag, integers
from ndkernels._images import Layout, image, layout_for, read_shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = [
    "Windows",
    "adaptive_avg_pool_backward",
    "adaptive_pool",
    "avg_pool",
    "avg_pool_backward",
    "max_pool",
    "max_pool_backward",
]


def _three(values: Sequence[int], fill: int) -> tuple[int, ...]:
    return (fill,) * (3 - len(values)) + tuple(values)


class Windows:
    """The windows of a call: what its arguments say, checked, and how many of them there are."""

    def __init__(self, kernel_size: Any, stride: Any, padding: Any, dilation: Any, spatial: int) -> None:
        self.kernel = integers(kernel_size, spatial, "kernel_size", least=1)
        self.stride = self.kernel if stride is None else integers(stride, spatial, "stride", least=1)
        self.padding = integers(padding, spatial, "padding")
        self.dilation = integers(dilation, spatial, "dilation", least=1)
        for kernel, padded in zip(self.kernel, self.padding, strict=True):
            if padded > kernel // 2:
                raise ValueError(
                    f"padding: {padded} is more than half of the kernel size {kernel}; accepted are integers up to "
                    f"{kernel // 2}. Pad the array before, or pass a larger kernel_size."
                )

    def count(self, extents: Sequence[int], *, ceil: bool) -> tuple[int, ...]:
        """Return how many windows there are along each axis, in the way of torch's pooling_output_shape."""
        counts = []
        for extent, kernel, stride, padding, dilation in zip(
            extents, self.kernel, self.stride, self.padding, self.dilation, strict=True
        ):
            room = extent + 2 * padding - dilation * (kernel - 1) - 1
            count = (room + (stride - 1 if ceil else 0)) // stride + 1
            if ceil and (count - 1) * stride >= extent + padding:  # it would start in the padding behind the image
                count -= 1
            if count < 1:
                raise ValueError(
                    f"kernel_size: a window that spans {dilation * (kernel - 1) + 1} elements does not fit into the "
                    f"{extent} of an axis with padding {padding} on both sides. Pass a smaller kernel_size or dilation."
                )
            counts.append(count)
        return tuple(counts)

    def integers(self, layout: Layout, *, include_pad: bool = False) -> tuple[int, ...]:
        return (
            layout.spatial,
            layout.last,
            0,
            int(include_pad),
            *_three(self.kernel, 1),
            *_three(self.stride, 1),
            *_three(self.padding, 0),
            *_three(self.dilation, 1),
        )


def adaptive_integers(layout: Layout) -> tuple[int, ...]:
    """Return what the kernels take for windows that follow from the extents alone."""
    return (layout.spatial, layout.last, 1, 0, *(1,) * 6, *(0,) * 3, *(1,) * 3)


def max_pool(
    spatial: int,
    x: Array,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
    layout: str | None,
    out: Array | None,
) -> Any:
    x, found = image(x, spatial, layout)
    windows = Windows(kernel_size, stride, padding, dilation, spatial)
    extents = windows.count(found.extents(x.shape), ceil=flag(ceil_mode, "ceil_mode"))
    return run_max(x, found, extents, windows.integers(found), return_indices, out)


def run_max(
    x: NDArray[Any],
    layout: Layout,
    extents: Sequence[int],
    numbers: tuple[int, ...],
    return_indices: bool,
    out: Array | None,
) -> Any:
    shape = layout.shape(x.shape, extents)
    outputs = [(shape, x.dtype, out)]
    if flag(return_indices, "return_indices"):
        outputs.append((shape, "int64", None))  # type: ignore[arg-type]
    return _binding.call("max_pool", (x,), tuple(outputs), numbers, ())


def avg_pool(
    spatial: int,
    x: Array,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    layout: str | None,
    out: Array | None,
) -> Any:
    x, found = image(x, spatial, layout)
    windows = Windows(kernel_size, stride, padding, 1, spatial)
    extents = windows.count(found.extents(x.shape), ceil=flag(ceil_mode, "ceil_mode"))
    numbers = windows.integers(found, include_pad=flag(count_include_pad, "count_include_pad"))
    return _binding.call("avg_pool", (x,), ((found.shape(x.shape, extents), x.dtype, out),), numbers, ())


def avg_pool_backward(
    spatial: int,
    grad: Array,
    x_shape: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    layout: str | None,
) -> Any:
    grad = array(grad, "grad")
    found = layout_for(grad.ndim, spatial, layout, "grad")
    shape = read_shape(x_shape, grad, found)
    windows = Windows(kernel_size, stride, padding, 1, spatial)
    extents = windows.count(found.extents(shape), ceil=flag(ceil_mode, "ceil_mode"))
    if found.extents(grad.shape) != extents:
        raise ValueError(
            f"grad: has shape {grad.shape}, and {found.shape(shape, extents)} is what pooling x_shape {shape} gives. Pass the "
            "arguments of the forward function."
        )
    numbers = windows.integers(found, include_pad=flag(count_include_pad, "count_include_pad"))
    return _binding.call("avg_pool_backward", (grad,), ((shape, grad.dtype, None),), numbers, ())


def max_pool_backward(spatial: int, grad: Array, indices: Any, x_shape: Any, layout: str | None) -> Any:
    grad = array(grad, "grad")
    found = layout_for(grad.ndim, spatial, layout, "grad")
    shape = read_shape(x_shape, grad, found)
    indices = array(indices, "indices", _binding.DTYPES["int64"])
    if indices.shape != grad.shape:
        raise ValueError(
            f"indices: has shape {indices.shape}, and grad has {grad.shape}. Pass the indices that the forward function "
            "returned."
        )
    elements = 1
    for extent in found.extents(shape):
        elements *= extent
    if indices.size and not (indices.min() >= -1 and indices.max() < elements):
        raise ValueError(
            f"indices: hold {indices.min()} to {indices.max()}; accepted are -1 (no element) to {elements - 1}, the places in "
            f"an image of {found.extents(shape)}. Pass the indices that the forward function returned."
        )
    return _binding.call("max_pool_backward", (grad, indices), ((shape, grad.dtype, None),), (spatial, found.last), ())


def adaptive_extents(output_size: Any, layout: Layout, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the spatial extents that were asked for; None leaves one as it is."""
    own = layout.extents(shape)
    if isinstance(output_size, (tuple, list)) and len(output_size) == layout.spatial:
        output_size = [each if wanted is None else wanted for wanted, each in zip(output_size, own, strict=True)]
    elif output_size is None:
        output_size = own
    return integers(output_size, layout.spatial, "output_size")


def adaptive_pool(
    operator: str,
    spatial: int,
    x: Array,
    output_size: Any,
    return_indices: bool,
    layout: str | None,
    out: Array | None,
) -> Any:
    x, found = image(x, spatial, layout)
    extents = adaptive_extents(output_size, found, x.shape)
    numbers = adaptive_integers(found)
    if operator == "max_pool":
        return run_max(x, found, extents, numbers, return_indices, out)
    return _binding.call("avg_pool", (x,), ((found.shape(x.shape, extents), x.dtype, out),), numbers, ())


def adaptive_avg_pool_backward(spatial: int, grad: Array, x_shape: Any, layout: str | None) -> Any:
    grad = array(grad, "grad")
    found = layout_for(grad.ndim, spatial, layout, "grad")
    shape = read_shape(x_shape, grad, found)
    return _binding.call("avg_pool_backward", (grad,), ((shape, grad.dtype, None),), adaptive_integers(found), ())
