"""Normalization layers, with the names and the meaning they have in torch.nn.functional."""

from __future__ import annotations

from ndkernels import _binding
from ndkernels._checks import array, choice, flag, integer, number, optional_array, same_dtype, same_shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = [
    "batch_norm", "batch_norm_backward", "group_norm", "layer_norm", "layer_norm_backward", "local_response_norm",
    "local_response_norm_backward", "rms_norm",
]  # fmt: skip


def layer_norm(
    x: Array,
    normalized_shape: int | Sequence[int],
    weight: Array | None = None,
    bias: Array | None = None,
    /,
    *,
    eps: float = 1e-5,
    out: Array | None = None,
) -> NDArray[Any]:
    """Normalize over the last axes: (x - mean) / sqrt(variance + eps) * weight + bias (Ba, Kiros and Hinton, 2016).

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (..., *normalized_shape).
    normalized_shape
        The shape of what has one mean and one variance: that of x's last axes. An integer stands for one axis.
    weight, bias
        None, or arrays of x's dtype and of shape `normalized_shape`.
    eps
        What is added to the variance.
    out
        Where the result goes: a writable array of x's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's shape and dtype.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and dtypes that differ.
    ValueError
        for shapes that do not fit, a negative `eps`, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> layer_norm(np.float64([[1, 3], [5, 5]]), 2, eps=0)[0]
    array([-1.,  1.])
    """
    return _over_last("layer_norm", x, normalized_shape, weight, bias, eps, out)


def rms_norm(
    x: Array,
    normalized_shape: int | Sequence[int],
    weight: Array | None = None,
    /,
    *,
    eps: float | None = None,
    out: Array | None = None,
) -> NDArray[Any]:
    """Normalize over the last axes without centring: x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich, 2019).

    Parameters, result and errors are those of `layer_norm`; `eps` None stands for the precision of x's dtype
    (numpy.finfo(x.dtype).eps), as in torch.

    Examples
    --------
    >>> import numpy as np
    >>> rms_norm(np.float64([3, 4, 0, 0]), 4, eps=0)
    array([1.2, 1.6, 0. , 0. ])
    """
    if eps is None:
        import numpy as np

        eps = float(np.finfo(array(x, "x").dtype).eps)
    return _over_last("rms_norm", x, normalized_shape, weight, None, eps, out)


def layer_norm_backward(
    grad_out: Array,
    x: Array,
    normalized_shape: int | Sequence[int],
    weight: Array | None = None,
    /,
    *,
    eps: float = 1e-5,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of x, weight and bias, from that of the result of `layer_norm`.

    Parameters
    ----------
    grad_out, x
        Arrays of one shape and dtype, float32 or float64; copied first where they are not contiguous.
    normalized_shape, weight, eps
        As given to `layer_norm`.

    Returns
    -------
    New arrays: of x's shape, and twice of shape `normalized_shape` (the last two also where there was no weight or bias).

    Raises
    ------
    TypeError, ValueError
        as `layer_norm`, and for a `grad_out` of another shape or dtype.
    """
    x = array(x, "x")
    grad_out = array(grad_out, "grad_out")
    weight = optional_array(weight, "weight")
    same_dtype(x.dtype, grad_out=grad_out, weight=weight)
    same_shape(grad_out, "grad_out", x.shape, "x")
    shape = _normalized(normalized_shape, x)
    if weight is not None:
        same_shape(weight, "weight", shape, "normalized_shape")
        weight = _contiguous(weight).reshape(-1)
    rows, count = _product(x.shape[: x.ndim - len(shape)]), _product(shape)
    flat = (_contiguous(grad_out).reshape(rows, count), _contiguous(x).reshape(rows, count), weight)
    outputs = tuple((each, x.dtype, None) for each in ((rows, count), (count,), (count,)))
    dx, dweight, dbias = _binding.call("layer_norm_backward", flat, outputs, (), (_epsilon(eps),))
    return dx.reshape(x.shape), dweight.reshape(shape), dbias.reshape(shape)


def group_norm(
    x: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    /,
    *,
    eps: float = 1e-5,
    out: Array | None = None,
) -> NDArray[Any]:
    """Normalize over groups of channels (Wu and He, 2018).

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, ...).
    num_groups
        Into how many groups the channels are cut; C is a multiple of it. Each group of each of the N has one mean and one
        variance.
    weight, bias
        None, or arrays of x's dtype and of shape (C,).
    eps, out
        As in `layer_norm`.

    Returns
    -------
    `out`, or a new NumPy array of x's shape and dtype.

    Raises
    ------
    TypeError, ValueError
        as `layer_norm`.
    """
    import numpy as np

    x = array(x, "x")
    weight, bias = optional_array(weight, "weight"), optional_array(bias, "bias")
    same_dtype(x.dtype, weight=weight, bias=bias)
    channels = _channels(x, 1)
    groups = integer(num_groups, "num_groups", least=1)
    if channels % groups:
        raise ValueError(
            f"num_groups: {channels} channels cannot be cut into {groups} groups of one size. Pass a divisor."
        )
    split = (x.shape[0], groups, channels // groups, *x.shape[2:])
    inputs: list[NDArray[Any] | None] = [x.reshape(split)]
    for each, name in ((weight, "weight"), (bias, "bias")):
        if each is not None:
            same_shape(each, name, (channels,), "x's channels")
            column = each.reshape(1, groups, channels // groups, *(1,) * (x.ndim - 2))
            inputs.append(np.broadcast_to(column, split))
        else:
            inputs.append(None)
    if out is not None:
        out = array(out, "out")
        same_dtype(x.dtype, out=out)
        same_shape(out, "out", x.shape, "x")
    target = None if out is None else out.reshape(split)  # cutting an axis in two is always a view
    result = _binding.call("layer_norm", tuple(inputs), ((split, x.dtype, target),), (2,), (_epsilon(eps),))
    return result.reshape(x.shape) if out is None else out


def batch_norm(
    x: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    /,
    *,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    layout: str = "NC...",
    out: Array | None = None,
) -> NDArray[Any] | tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Normalize each channel: (x - mean) / sqrt(variance + eps) * weight + bias (Ioffe and Szegedy, 2015).

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, ...), or (N, ..., C) with `layout="N...C"`.
    running_mean, running_var
        Arrays of x's dtype and of shape (C,): what is subtracted and divided by. In training they may be None, and are not
        what x is normalized with. They are never written to.
    weight, bias
        None, or arrays of x's dtype and of shape (C,).
    training
        Normalize with the mean and the variance of x itself, and return what torch writes into its arguments.
    momentum
        The weight of the new statistics in those that are returned.
    eps
        What is added to the variance.
    layout
        Where the channels are: "NC..." or "N...C".
    out
        Where the result goes: a writable array of x's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's shape and dtype. In training a tuple: that array; x's mean and variance (of the
    population), which `batch_norm_backward` takes; and the new running mean and variance (of the sample, as in torch), which
    are those of x where none were given.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and dtypes that differ.
    ValueError
        for shapes that do not fit, missing statistics, one value per channel in training, and an `out` that does not fit.
    """
    x = array(x, "x")
    channels_last = choice(layout, "layout", ("NC...", "N...C")) == 1
    axis = x.ndim - 1 if channels_last else 1
    channels = _channels(x, axis)
    columns = {
        name: optional_array(each, name)
        for name, each in (
            ("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias),
        )
    }  # fmt: skip
    same_dtype(x.dtype, **columns)
    for name, each in columns.items():
        if each is not None:
            same_shape(each, name, (channels,), "x's channels")
            columns[name] = _contiguous(each)
    mean, variance = columns["running_mean"], columns["running_var"]
    train = flag(training, "training")
    if train:
        count = x.size // channels if channels else 0
        if count == 1:
            raise ValueError(
                f"x: has one value for each channel, of which there is no variance; its shape is {x.shape}. Pass more in "
                "training."
            )
        mean, variance = _binding.call("batch_moments", (x,), (((channels,), x.dtype, None),) * 2, (axis,), ())
    for name, each in (("running_mean", mean), ("running_var", variance)):
        if each is None:
            raise ValueError(f"{name}: None is accepted in training only. Pass an array of shape ({channels},).")
    inputs = (x, mean, variance, columns["weight"], columns["bias"])
    result: NDArray[Any] = _binding.call("batch_norm", inputs, ((x.shape, x.dtype, out),), (axis,), (_epsilon(eps),))
    if not train:
        return result
    share = number(momentum, "momentum", least=0.0, most=1.0)
    sample = variance * x.dtype.type(count / (count - 1) if count > 1 else 1)
    news = []
    for old, new in ((columns["running_mean"], mean), (columns["running_var"], sample)):
        news.append(new if old is None else (old * x.dtype.type(1 - share) + new * x.dtype.type(share)))
    return result, mean, variance, news[0], news[1]  # type: ignore[return-value]


def batch_norm_backward(
    grad_out: Array,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None = None,
    /,
    *,
    training: bool = True,
    eps: float = 1e-5,
    layout: str = "NC...",
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of x, weight and bias, from that of the result of `batch_norm`.

    Parameters
    ----------
    grad_out, x
        Arrays of one shape and dtype, float32 or float64; copied first where they are not contiguous with the channels in
        front.
    mean, variance
        What x was normalized with, of shape (C,): in training the second and third result of `batch_norm`, else the
        running ones.
    weight, eps, layout
        As given to `batch_norm`.
    training
        Whether mean and variance are those of x, and so depend on it.

    Returns
    -------
    New arrays: of x's shape, and twice of shape (C,).

    Raises
    ------
    TypeError, ValueError
        as `batch_norm`, and for a `grad_out` of another shape or dtype.
    """
    import numpy as np

    x = array(x, "x")
    grad_out = array(grad_out, "grad_out")
    channels_last = choice(layout, "layout", ("NC...", "N...C")) == 1
    channels = _channels(x, x.ndim - 1 if channels_last else 1)
    columns = (array(mean, "mean"), array(variance, "variance"), optional_array(weight, "weight"))
    same_dtype(x.dtype, grad_out=grad_out, mean=columns[0], variance=columns[1], weight=columns[2])
    same_shape(grad_out, "grad_out", x.shape, "x")
    for each, name in zip(columns, ("mean", "variance", "weight"), strict=True):
        if each is not None:
            same_shape(each, name, (channels,), "x's channels")
    folded = []
    for each in (grad_out, x):
        front = np.moveaxis(each, -1, 1) if channels_last else each
        folded.append(_contiguous(front).reshape(x.shape[0], channels, _product(front.shape[2:])))
    moved = np.moveaxis(x, -1, 1).shape if channels_last else x.shape
    outputs = tuple((shape, x.dtype, None) for shape in (folded[1].shape, (channels,), (channels,)))
    inputs = (*folded, *(None if each is None else _contiguous(each) for each in columns))
    dx, dweight, dbias = _binding.call(
        "batch_norm_backward", inputs, outputs, (int(flag(training, "training")),), (_epsilon(eps),)
    )
    dx = dx.reshape(moved)
    return _contiguous(np.moveaxis(dx, 1, -1)) if channels_last else dx, dweight, dbias


def local_response_norm(
    x: Array,
    size: int,
    /,
    *,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    layout: str = "NC...",
    out: Array | None = None,
) -> NDArray[Any]:
    """Divide by what the neighbouring channels hold: x / (k + alpha * mean of squares)^beta.

    The mean is over `size` channels, from c - size // 2 to c + (size - 1) // 2, where channels beyond the ends count as 0
    (Krizhevsky, Sutskever and Hinton, 2012, section 3.3; ONNX's LRN).

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, ...), or (N, ..., C) with `layout="N...C"`.
    size
        How many channels are looked at.
    alpha, beta, k
        The numbers of the formula.
    layout
        Where the channels are: "NC..." or "N...C".
    out
        Where the result goes: a writable array of x's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's shape and dtype.

    Raises
    ------
    TypeError, ValueError
        as `batch_norm`.
    """
    x = array(x, "x")
    integers, numbers = _window(x, size, alpha, beta, k, layout)
    return _binding.call("local_response_norm", (x,), ((x.shape, x.dtype, out),), integers, numbers)  # type: ignore[no-any-return]


def local_response_norm_backward(
    grad_out: Array,
    x: Array,
    size: int,
    /,
    *,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    layout: str = "NC...",
) -> NDArray[Any]:
    """Return the gradient of x, from that of the result of `local_response_norm`, whose other parameters these are.

    Raises
    ------
    TypeError, ValueError
        as `local_response_norm`, and for a `grad_out` of another shape or dtype.
    """
    x = array(x, "x")
    grad_out = array(grad_out, "grad_out")
    same_dtype(x.dtype, grad_out=grad_out)
    same_shape(grad_out, "grad_out", x.shape, "x")
    integers, numbers = _window(x, size, alpha, beta, k, layout)
    outputs = ((x.shape, x.dtype, None),)
    return _binding.call("local_response_norm_backward", (grad_out, x), outputs, integers, numbers)  # type: ignore[no-any-return]


def _over_last(name: str, x: Any, normalized_shape: Any, weight: Any, bias: Any, eps: Any, out: Any) -> NDArray[Any]:
    import numpy as np

    x = array(x, "x")
    weight, bias = optional_array(weight, "weight"), optional_array(bias, "bias")
    same_dtype(x.dtype, weight=weight, bias=bias)
    shape = _normalized(normalized_shape, x)
    inputs: list[NDArray[Any] | None] = [x]
    for each, parameter in ((weight, "weight"), (bias, "bias")):
        if each is not None:
            same_shape(each, parameter, shape, "normalized_shape")
        inputs.append(None if each is None else np.broadcast_to(each, x.shape))
    outputs = ((x.shape, x.dtype, out),)
    return _binding.call(name, tuple(inputs), outputs, (x.ndim - len(shape),), (_epsilon(eps),))  # type: ignore[no-any-return]


def _normalized(normalized_shape: Any, x: NDArray[Any]) -> tuple[int, ...]:
    shape = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    shape = tuple(integer(each, "normalized_shape") for each in shape)
    if not shape or x.shape[x.ndim - len(shape) :] != shape or len(shape) > x.ndim:
        raise ValueError(
            f"normalized_shape: {shape} is not the shape of the last axes of x, whose shape is {x.shape}. Pass, for "
            f"example, {x.shape[-1:]}."
        )
    return shape


def _window(
    x: NDArray[Any], size: Any, alpha: Any, beta: Any, k: Any, layout: Any
) -> tuple[tuple[int, int], tuple[float, ...]]:
    axis = x.ndim - 1 if choice(layout, "layout", ("NC...", "N...C")) == 1 else 1
    _channels(x, axis)
    return (integer(size, "size", least=1), axis), (number(alpha, "alpha"), number(beta, "beta"), number(k, "k"))


def _channels(x: NDArray[Any], axis: int) -> int:
    if x.ndim < 2:
        raise ValueError(
            f"x: has shape {x.shape}; accepted are two dimensions and more, (N, C, ...). Reshape it first."
        )
    channels: int = x.shape[axis]
    return channels


def _epsilon(eps: Any) -> float:
    return number(eps, "eps", least=0.0)


def _contiguous(x: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    return np.ascontiguousarray(x)


def _product(shape: Sequence[int]) -> int:
    product = 1
    for extent in shape:
        product *= extent
    return product
