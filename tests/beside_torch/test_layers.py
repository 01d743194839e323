"""Results and gradients beside those of torch, whose names and meanings the layers have.

float64 on both sides, so that what is left is rounding; float32 is held against float64 by the other tests.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 -- its customary name

import ndkernels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

IMAGE = {1: (9,), 2: (9, 8), 3: (6, 5, 7)}


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def differentiate(
    function: Callable[..., torch.Tensor], *arrays: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return torch's result, a gradient by it, and torch's gradients by the arrays."""
    tensors = [torch.from_numpy(array).requires_grad_() for array in arrays]
    result = function(*tensors)
    grad_out = random(*result.shape, seed=9)
    gradients = torch.autograd.grad(result, tensors, torch.from_numpy(grad_out))
    return result.detach().numpy(), grad_out, [each.numpy() for each in gradients]


def same(got: Any, want: Any) -> None:
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def all_same(got: Sequence[Any], want: Sequence[Any]) -> None:
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        same(one, other)


@pytest.mark.parametrize("spatial", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3])
def test_convolution(spatial: int, kernel: int) -> None:
    ours = getattr(ndkernels, f"conv{spatial}d")
    backward = getattr(ndkernels, f"conv{spatial}d_backward")
    for stride, padding, dilation, groups in itertools.product((1, 2), (0, 1), (1, 2), (1, 2, 4)):
        x = random(2, 4, *IMAGE[spatial])
        weight, bias = random(8, 4 // groups, *(kernel,) * spatial), random(8)
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        theirs = getattr(F, f"conv{spatial}d")
        want, grad_out, gradients = differentiate(
            lambda *each, theirs=theirs, options=options: theirs(*each, **options), x, weight, bias
        )
        same(ours(x, weight, bias, **options), want)
        all_same(backward(grad_out, x, weight, **options), gradients)


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolution(groups: int) -> None:
    for stride, padding, more, dilation in itertools.product((1, 2, 3), (0, 1), (0, 1), (1, 2)):
        if more >= max(stride, dilation):
            continue
        x, weight, bias = random(2, 4, 6, 5), random(4, 3, 3, 2), random(3 * groups)
        options = {
            "stride": stride, "padding": padding, "output_padding": more, "dilation": dilation, "groups": groups
        }  # fmt: skip
        want, grad_out, gradients = differentiate(
            lambda *each, options=options: F.conv_transpose2d(*each, **options), x, weight, bias
        )
        same(ndkernels.conv_transpose2d(x, weight, bias, **options), want)
        all_same(ndkernels.conv_transpose2d_backward(grad_out, x, weight, **options), gradients)


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_max_pool(spatial: int) -> None:
    ours = getattr(ndkernels, f"max_pool{spatial}d")
    backward = getattr(ndkernels, f"max_pool{spatial}d_backward")
    theirs = getattr(F, f"max_pool{spatial}d")
    x = random(2, 3, *IMAGE[spatial])
    for kernel, stride, padding, dilation, ceil in itertools.product((2, 3), (1, 2, 3), (0, 1), (1, 2), (False, True)):
        options = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil}
        want, grad_out, (gradient,) = differentiate(
            lambda x, kernel=kernel, options=options: theirs(x, kernel, **options), x
        )
        result, indices = ours(x, kernel, return_indices=True, **options)
        same(result, want)
        same(backward(grad_out, indices, x.shape), gradient)
        same(indices, theirs(torch.from_numpy(x), kernel, return_indices=True, **options)[1].numpy())


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_avg_pool(spatial: int) -> None:
    ours = getattr(ndkernels, f"avg_pool{spatial}d")
    backward = getattr(ndkernels, f"avg_pool{spatial}d_backward")
    theirs = getattr(F, f"avg_pool{spatial}d")
    x = random(2, 3, *IMAGE[spatial])
    for kernel, stride, padding, ceil, count in itertools.product(
        (2, 3), (1, 2, 3), (0, 1), (False, True), (False, True)
    ):
        options = {"stride": stride, "padding": padding, "ceil_mode": ceil, "count_include_pad": count}
        want, grad_out, (gradient,) = differentiate(
            lambda x, kernel=kernel, options=options: theirs(x, kernel, **options), x
        )
        same(ours(x, kernel, **options), want)
        same(backward(grad_out, x.shape, kernel, **options), gradient)


@pytest.mark.parametrize("spatial", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 3, 4])
def test_adaptive_pool(spatial: int, size: int) -> None:
    x = random(2, 3, *IMAGE[spatial])
    theirs = getattr(F, f"adaptive_avg_pool{spatial}d")
    want, grad_out, (gradient,) = differentiate(lambda x: theirs(x, size), x)
    same(getattr(ndkernels, f"adaptive_avg_pool{spatial}d")(x, size), want)
    same(getattr(ndkernels, f"adaptive_avg_pool{spatial}d_backward")(grad_out, x.shape), gradient)
    theirs = getattr(F, f"adaptive_max_pool{spatial}d")
    want, grad_out, (gradient,) = differentiate(lambda x: theirs(x, size), x)
    result, indices = getattr(ndkernels, f"adaptive_max_pool{spatial}d")(x, size, return_indices=True)
    same(result, want)
    same(getattr(ndkernels, f"max_pool{spatial}d_backward")(grad_out, indices, x.shape), gradient)


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 7), (3, 5, 4, 6)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(shape: tuple[int, ...], training: bool) -> None:
    x, weight, bias = random(*shape), random(shape[1], seed=1), random(shape[1], seed=2)
    mean, variance = random(shape[1], seed=3), random(shape[1], seed=4) ** 2 + 0.5
    running = [torch.from_numpy(each.copy()) for each in (mean, variance)]
    want, grad_out, gradients = differentiate(
        lambda x, weight, bias: F.batch_norm(x, *running, weight, bias, training, 0.3, 1e-3), x, weight, bias
    )
    result = ndkernels.batch_norm(x, mean, variance, weight, bias, training=training, momentum=0.3, eps=1e-3)
    moments: Any = (mean, variance)
    if training:
        result, *moments, new_mean, new_variance = result
        all_same([new_mean, new_variance], [each.numpy() for each in running])
    same(result, want)
    got = ndkernels.batch_norm_backward(grad_out, x, *moments, weight, training=training, eps=1e-3)
    all_same(got, gradients)


def test_layer_norm() -> None:
    x, weight, bias = random(4, 3, 5, 6), random(5, 6), random(5, 6, seed=1)
    want, grad_out, gradients = differentiate(
        lambda x, weight, bias: F.layer_norm(x, (5, 6), weight, bias, 1e-3), x, weight, bias
    )
    same(ndkernels.layer_norm(x, (5, 6), weight, bias, eps=1e-3), want)
    all_same(ndkernels.layer_norm_backward(grad_out, x, (5, 6), weight, eps=1e-3), gradients)


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_and_rms_norm(groups: int) -> None:
    x, weight, bias = random(4, 6, 5), random(6), random(6, seed=1)
    tensors = [torch.from_numpy(each) for each in (x, weight, bias)]
    same(ndkernels.group_norm(x, groups, weight, bias), F.group_norm(tensors[0], groups, *tensors[1:]).numpy())
    weight = random(5, seed=2)
    want = F.rms_norm(tensors[0], (5,), torch.from_numpy(weight), 1e-4)
    same(ndkernels.rms_norm(x, (5,), weight, eps=1e-4), want.numpy())


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("shape", [(2, 7, 5), (2, 7, 4, 3)])
def test_local_response_norm(shape: tuple[int, ...], size: int) -> None:
    x = random(*shape)
    want, grad_out, (gradient,) = differentiate(lambda x: F.local_response_norm(x, size, 0.3, 0.6, 1.5), x)
    same(ndkernels.local_response_norm(x, size, alpha=0.3, beta=0.6, k=1.5), want)
    same(ndkernels.local_response_norm_backward(grad_out, x, size, alpha=0.3, beta=0.6, k=1.5), gradient)


@pytest.mark.parametrize("activation", [None, "relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"])
def test_linear(activation: str | None) -> None:
    x, weight, bias = random(3, 5, 7), random(9, 7), random(9)
    functions: dict[str | None, Callable[[torch.Tensor], torch.Tensor]] = {
        None: lambda x: x, "relu": F.relu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    }  # fmt: skip
    want, grad_out, gradients = differentiate(lambda *each: functions[activation](F.linear(*each)), x, weight, bias)
    same(ndkernels.linear(x, weight, bias, activation=activation), want)
    if activation is None:
        all_same(ndkernels.linear_backward(grad_out, x, weight), gradients)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str, axis: int) -> None:
    x = random(4, 5, 6)
    want, grad_out, (gradient,) = differentiate(lambda x: getattr(F, name)(x, dim=axis), x)
    result = getattr(ndkernels, name)(x, axis=axis)
    same(result, want)
    same(getattr(ndkernels, f"{name}_backward")(grad_out, result, axis=axis), gradient)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("align", [False, True])
def test_upsample(mode: str, align: bool) -> None:
    if mode == "nearest" and align:
        with pytest.raises(ValueError, match="align_corners"):
            ndkernels.upsample(random(1, 1, 2, 2), 3, mode=mode, align_corners=align)
        return
    x = random(2, 3, 5, 4)
    for size, scale in (((9, 11), None), ((5, 4), None), ((3, 2), None), (None, 2.0), (None, (1.7, 0.6))):
        options: dict[str, Any] = {"size": size, "scale_factor": scale, "mode": mode}
        extra = {"align_corners": align} if mode == "bilinear" else {}
        want, grad_out, (gradient,) = differentiate(
            lambda x, options=options, extra=extra: F.interpolate(x, **options, **extra), x
        )
        same(ndkernels.upsample(x, **options, align_corners=align), want)
        got = ndkernels.upsample_backward(grad_out, x.shape, scale, mode=mode, align_corners=align)
        same(got, gradient)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [None, (6, 4, 1)])
def test_recurrent(kind: str, layers: int, bidirectional: bool, lengths: tuple[int, ...] | None) -> None:
    steps, batch, features, hidden = 6, 3, 4, 5
    directions = 2 if bidirectional else 1
    network = getattr(torch.nn, kind)(features, hidden, layers, bidirectional=bidirectional).double()
    parameters = list(network.parameters())
    weights = [
        tuple(each.detach().numpy() for each in parameters[i : i + 4]) for i in range(0, 4 * layers * directions, 4)
    ]
    states = 2 if kind == "LSTM" else 1
    x = random(steps, batch, features)
    first = [random(layers * directions, batch, hidden, seed=i) for i in range(states)]

    tensors = [torch.from_numpy(each).requires_grad_() for each in (x, *first)]
    start = tuple(tensors[1:]) if kind == "LSTM" else tensors[1]
    if lengths is None:
        output, last = network(tensors[0], start)
    else:
        packed = torch.nn.utils.rnn.pack_padded_sequence(tensors[0], list(lengths))
        packed, last = network(packed, start)
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, total_length=steps)
    ends = list(last) if kind == "LSTM" else [last]
    grad, *grad_ends = (random(*each.shape, seed=7 + i) for i, each in enumerate((output, *ends)))
    given = [torch.from_numpy(each) for each in (grad, *grad_ends)]
    want = [each.numpy() for each in torch.autograd.grad([output, *ends], [*tensors, *parameters], given)]

    name = kind.lower()
    options: dict[str, Any] = {
        "initial": tuple(first) if kind == "LSTM" else first[0],
        "sequence_lengths": lengths, "bidirectional": bidirectional, "layers": layers,
    }  # fmt: skip
    result, got_last = getattr(ndkernels, name)(x, weights, **options)
    same(result, output.detach().numpy())
    all_same(got_last if kind == "LSTM" else [got_last], [each.detach().numpy() for each in ends])
    final = tuple(grad_ends) if kind == "LSTM" else grad_ends[0]
    grad_x, grad_weights, grad_first = getattr(ndkernels, f"{name}_backward")(
        grad, x, weights, grad_final=final, **options
    )
    same(grad_x, want[0])
    all_same(grad_first if kind == "LSTM" else [grad_first], want[1 : 1 + states])
    all_same([each for layer in grad_weights for each in layer], want[1 + states :])


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh", "erf", "rsqrt"]
)
def test_activation(name: str) -> None:
    x = np.abs(random(1000)) + 0.1 if name == "rsqrt" else random(1000) * 3
    theirs = getattr(torch, name) if name in ("sigmoid", "tanh", "erf", "rsqrt") else getattr(F, name)
    same(getattr(ndkernels, name)(x), theirs(torch.from_numpy(x)).numpy())
