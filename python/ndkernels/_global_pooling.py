"""Pooling over whole images, with the meaning of ONNX."""

from __future__ import annotations

from ndkernels import _binding
from ndkernels._checks import array
from ndkernels._images import LAYOUTS, layout_for, spatial_of
from ndkernels._pooling import adaptive_avg_pool_backward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["global_avg_pool", "global_avg_pool_backward", "global_max_pool"]


def _global_pool(x: Array, op: int, layout: str | None, out: Array | None) -> Any:
    x = array(x, "x")
    spatial = spatial_of(x.ndim, "x")
    found = layout_for(x.ndim, spatial, layout, "x")
    shape = found.shape(x.shape, (1,) * spatial)
    return _binding.call("global_pool", (x,), ((shape, x.dtype, out),), (spatial, found.last, op), ())


def global_avg_pool(x: Array, /, *, layout: str | None = None, out: Array | None = None) -> NDArray[Any]:
    """Return the mean over all spatial axes, which stay with extent 1.

    The definition is that of ONNX's GlobalAveragePool.

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, spatial...) with one to three spatial axes.
    layout
        "NCHW" or, for shape (N, spatial..., C), "NHWC"; with one spatial axis "NCW" and "NWC", with three "NCDHW" and
        "NDHWC" (the former names are taken too). None is the first of them.
    out
        Where the result goes: a writable array of the result's shape and x's dtype.

    Returns
    -------
    `out`, or a new NumPy array of shape (N, C, 1, ...) or (N, 1, ..., C). NaN propagates; the mean of nothing is NaN.

    Raises
    ------
    TypeError
        for an object that is no array, and another dtype.
    ValueError
        for another number of dimensions, a layout that does not exist, another device, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> global_avg_pool(np.arange(8.0).reshape(1, 2, 2, 2)).ravel()
    array([1.5, 5.5])
    """
    return _global_pool(x, 0, layout, out)  # type: ignore[no-any-return]


def global_max_pool(x: Array, /, *, layout: str | None = None, out: Array | None = None) -> NDArray[Any]:
    """Return the maximum over all spatial axes, which stay with extent 1.

    The definition is that of ONNX's GlobalMaxPool. NaN propagates; the maximum of nothing is -inf.

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, spatial...) with one to three spatial axes.
    layout
        As in `global_avg_pool`.
    out
        Where the result goes: a writable array of the result's shape and x's dtype.

    Returns
    -------
    `out`, or a new NumPy array of shape (N, C, 1, ...) or (N, 1, ..., C).

    Raises
    ------
    TypeError
        for an object that is no array, and another dtype.
    ValueError
        for another number of dimensions, a layout that does not exist, another device, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2)).ravel()
    array([3., 7.])
    """
    return _global_pool(x, 1, layout, out)  # type: ignore[no-any-return]


def global_avg_pool_backward(grad: Array, /, x_shape: Sequence[int], *, layout: str | None = None) -> NDArray[Any]:
    """Return the gradient of `global_avg_pool`'s argument.

    Parameters
    ----------
    grad
        The gradient of the result, of float32 or float64.
    x_shape
        The shape of the argument.
    layout
        As in `global_avg_pool`.

    Returns
    -------
    A new NumPy array of shape `x_shape` and grad's dtype.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and shapes that are no integers.
    ValueError
        for shapes that do not belong together.

    Examples
    --------
    >>> import numpy as np
    >>> global_avg_pool_backward(np.ones((1, 1, 1)), (1, 1, 4))
    array([[[0.25, 0.25, 0.25, 0.25]]])
    """
    checked = array(grad, "grad")
    spatial = spatial_of(checked.ndim, "grad")
    found = layout_for(checked.ndim, spatial, layout, "grad")
    if found.extents(checked.shape) != (1,) * spatial:
        raise ValueError(
            f"grad: has shape {checked.shape}; accepted is 1 for every spatial axis. Pass another gradient."
        )
    return adaptive_avg_pool_backward(spatial, checked, x_shape, LAYOUTS[spatial - 1][found.last])  # type: ignore[no-any-return]
