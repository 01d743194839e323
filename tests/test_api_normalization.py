"""Normalization layers against their definitions in float64, and their gradients against numerical differentiation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import ndkernels

DTYPES = ("float32", "float64")
RANDOM = np.random.default_rng(0)


def normal(*shape: int, dtype: str = "float64") -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(dtype)


def close(got: np.ndarray, expected: np.ndarray, eps: float = 256) -> None:
    assert got.shape == expected.shape
    scale = np.abs(expected).max(initial=1.0)
    np.testing.assert_allclose(got, expected, rtol=0, atol=eps * np.finfo(got.dtype).eps * scale)


def differentiated(
    function: Callable[..., np.ndarray], arguments: Sequence[np.ndarray], grad: np.ndarray
) -> list[np.ndarray]:
    """The gradients of sum(grad * function(*arguments)), by central differences."""
    found = []
    for place, x in enumerate(arguments):
        gradient = np.empty_like(x)
        for index in np.ndindex(x.shape):
            values = []
            for step in (1e-6, -1e-6):
                moved = [each.copy() for each in arguments]
                moved[place][index] += step
                values.append(float((grad * function(*moved)).sum()))
            gradient[index] = (values[0] - values[1]) / 2e-6
        found.append(gradient)
    return found


def layer_norm(x: np.ndarray, axes: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> np.ndarray:
    x = x.astype("float64")
    over = tuple(range(x.ndim - axes, x.ndim))
    result = (x - x.mean(over, keepdims=True)) / np.sqrt(x.var(over, keepdims=True) + eps)
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


def rms_norm(x: np.ndarray, axes: int, weight: Any = 1.0, eps: float = 1e-5) -> np.ndarray:
    over = tuple(range(x.ndim - axes, x.ndim))
    return x / np.sqrt((x.astype("float64") ** 2).mean(over, keepdims=True) + eps) * weight


def batch_norm(
    x: np.ndarray, mean: Any, var: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> np.ndarray:
    def column(each: Any, otherwise: float) -> Any:
        return otherwise if each is None else np.asarray(each, "float64").reshape(-1, *(1,) * (x.ndim - 2))

    return (x - column(mean, 0)) / np.sqrt(column(var, 1) + eps) * column(weight, 1) + column(bias, 0)


def response_norm(x: np.ndarray, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> np.ndarray:
    x = x.astype("float64")
    channels = x.shape[1]
    total = np.zeros_like(x)
    for c in range(channels):
        for other in range(max(0, c - size // 2), min(channels, c + (size - 1) // 2 + 1)):
            total[:, c] += x[:, other] ** 2
    return x / (k + alpha / size * total) ** beta


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 127, 130, 768, 5001])
def test_layer_norm_and_rms_norm_of_every_length(dtype: str, count: int) -> None:
    x, weight, bias = normal(5, count, dtype=dtype) + 3, normal(count, dtype=dtype), normal(count, dtype=dtype)
    close(ndkernels.layer_norm(x, count, weight, bias), layer_norm(x, 1, weight, bias))
    close(ndkernels.layer_norm(x, count), layer_norm(x, 1))
    close(ndkernels.layer_norm(x, count, None, bias), layer_norm(x, 1, None, bias))
    close(ndkernels.layer_norm(x, count, weight), layer_norm(x, 1, weight))
    close(ndkernels.rms_norm(x, count, weight, eps=1e-5), rms_norm(x, 1, weight))


def test_several_axes_and_any_strides() -> None:
    whole = normal(6, 5, 7, 8)
    weight = normal(8, 7).T
    for x in (whole, whole[::-1, :, :, ::-1], np.asfortranarray(whole), np.broadcast_to(whole[:1], whole.shape)):
        close(ndkernels.layer_norm(x, (7, 8), weight), layer_norm(x, 2, weight))
        close(ndkernels.layer_norm(x, x.shape), layer_norm(x, 4))
    x = whole.transpose(3, 1, 0, 2)
    out = np.zeros((8, 5, 12, 7))[:, :, ::2]
    assert ndkernels.layer_norm(x, (6, 7), out=out) is out
    close(out, layer_norm(x, 2))
    assert ndkernels.layer_norm(whole, 8, out=whole) is whole


def test_a_large_offset_costs_no_precision() -> None:
    x = (RANDOM.standard_normal((3, 1000)) + 1e4).astype("float32")
    close(ndkernels.layer_norm(x, 1000), layer_norm(x, 1), eps=4096)
    assert np.isnan(ndkernels.layer_norm(np.float32([[1, np.nan], [0, 1]]), 2)[0]).all()


def test_rms_norm_takes_the_precision_as_epsilon() -> None:
    x = np.full((1, 4), 1e-4, "float32")
    close(ndkernels.rms_norm(x, 4), rms_norm(x, 1, eps=np.finfo("float32").eps))


def test_layer_norm_backward() -> None:
    x, weight, grad = normal(2, 3, 2, 5), normal(2, 5), normal(2, 3, 2, 5)
    dx, dweight, dbias = ndkernels.layer_norm_backward(grad, x, (2, 5), weight)
    expected = differentiated(lambda x, w, b: layer_norm(x, 2, w, b), [x, weight, normal(2, 5)], grad)
    for got, want in zip((dx, dweight, dbias), expected, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-7)
    without = ndkernels.layer_norm_backward(grad, x, (2, 5))[0]
    np.testing.assert_allclose(without, differentiated(lambda x: layer_norm(x, 2), [x], grad)[0], atol=1e-7)
    large, grads = normal(300, 130, dtype="float32"), normal(300, 130, dtype="float32")
    exact = ndkernels.layer_norm_backward(grads.astype("float64"), large.astype("float64"), 130)
    for got, want in zip(ndkernels.layer_norm_backward(grads, large, 130), exact, strict=True):
        close(got, want, eps=64)


def test_group_norm() -> None:
    x, weight, bias = normal(3, 6, 4, 5), normal(6), normal(6)
    split = layer_norm(x.reshape(3, 2, 3, 4, 5), 3).reshape(x.shape)
    expected = split * weight[:, None, None] + bias[:, None, None]
    close(ndkernels.group_norm(x, 2, weight, bias), expected)
    close(ndkernels.group_norm(np.asfortranarray(x), 2, weight, bias), expected)
    out = np.zeros((3, 12, 4, 5))[:, ::2]
    assert ndkernels.group_norm(x, 2, out=out) is out
    close(out, split)
    with pytest.raises(ValueError, match="num_groups: 6 channels cannot be cut into 4 groups"):
        ndkernels.group_norm(x, 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(3, 5), (2, 3, 7), (2, 3, 5, 6), (1, 40, 9, 13), (2, 2, 3, 4, 5), (0, 3, 4), (2, 64, 1, 1)]
)
def test_batch_norm(dtype: str, shape: tuple[int, ...]) -> None:
    x = normal(*shape, dtype=dtype)
    mean, weight, bias = (normal(shape[1], dtype=dtype) for _ in range(3))
    var = np.abs(normal(shape[1], dtype=dtype)) + x.dtype.type(0.5)
    expected = batch_norm(x, mean, var, weight, bias)
    close(ndkernels.batch_norm(x, mean, var, weight, bias), expected)
    close(ndkernels.batch_norm(x[::-1], mean, var)[::-1], batch_norm(x, mean, var))
    last = np.moveaxis(x, 1, -1)
    for each in (last, np.ascontiguousarray(last)):
        got = ndkernels.batch_norm(each, mean, var, weight, bias, layout="N...C")
        close(np.moveaxis(got, -1, 1), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["NC...", "N...C"])
def test_batch_norm_in_training(dtype: str, layout: str) -> None:
    x = normal(4, 6, 5, 9, dtype=dtype) + 2
    given = x if layout == "NC..." else np.ascontiguousarray(np.moveaxis(x, 1, -1))
    old_mean, old_var = normal(6, dtype=dtype), np.abs(normal(6, dtype=dtype))
    before = old_mean.copy()
    result = ndkernels.batch_norm(given, old_mean, old_var, training=True, momentum=0.3, layout=layout)
    out, mean, var, new_mean, new_var = result
    np.testing.assert_array_equal(old_mean, before)
    exact = x.astype("float64")
    close(mean, exact.mean((0, 2, 3)))
    close(var, exact.var((0, 2, 3)))
    close(new_mean, 0.7 * old_mean + 0.3 * exact.mean((0, 2, 3)))
    close(new_var, 0.7 * old_var + 0.3 * exact.var((0, 2, 3), ddof=1))
    close(
        out if layout == "NC..." else np.moveaxis(out, -1, 1),
        batch_norm(x, exact.mean((0, 2, 3)), exact.var((0, 2, 3))),
    )
    close(ndkernels.batch_norm(given, None, None, training=True, layout=layout)[3], mean)
    with pytest.raises(ValueError, match="running_mean: None is accepted in training only"):
        ndkernels.batch_norm(x, None, None)
    with pytest.raises(ValueError, match="x: has one value for each channel"):
        ndkernels.batch_norm(x[:1, :, :1, :1], None, None, training=True)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", ["NC...", "N...C"])
def test_batch_norm_backward(training: bool, layout: str) -> None:
    x, weight, bias, grad = normal(3, 2, 4), normal(2), normal(2), normal(3, 2, 4)
    mean, var = (x.mean((0, 2)), x.var((0, 2))) if training else (normal(2), np.abs(normal(2)))

    def function(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        return batch_norm(x, x.mean((0, 2)), x.var((0, 2)), w, b) if training else batch_norm(x, mean, var, w, b)

    order = (0, 2, 1) if layout == "N...C" else (0, 1, 2)
    dx, dweight, dbias = ndkernels.batch_norm_backward(
        grad.transpose(order), x.transpose(order), mean, var, weight, training=training, layout=layout
    )
    for got, want in zip(
        (dx.transpose(order), dweight, dbias), differentiated(function, [x, weight, bias], grad), strict=True
    ):
        np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 9, 300])
@pytest.mark.parametrize("beta", [0.5, 0.75, 1.0, 0.6])
def test_local_response_norm(dtype: str, size: int, beta: float) -> None:
    for shape in ((2, 7, 5, 6), (1, 3, 200), (2, 17), (2, 3, 0)):
        x = normal(*shape, dtype=dtype)
        expected = response_norm(x, size, 0.5, beta, 2.0)
        close(ndkernels.local_response_norm(x, size, alpha=0.5, beta=beta, k=2.0), expected)
        last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
        got = ndkernels.local_response_norm(last, size, alpha=0.5, beta=beta, k=2.0, layout="N...C")
        close(np.moveaxis(got, -1, 1), expected)
    x = normal(4, 6, 8, dtype=dtype)[::-1, ::2, ::-2]
    close(ndkernels.local_response_norm(x, size), response_norm(x, size))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 20])
def test_local_response_norm_backward(size: int) -> None:
    x, grad = normal(2, 5, 3), normal(2, 5, 3)
    settings = {"alpha": 0.7, "beta": 0.6, "k": 1.5}
    got = ndkernels.local_response_norm_backward(grad, x, size, **settings)
    expected = differentiated(lambda x: response_norm(x, size, **settings), [x], grad)[0]
    np.testing.assert_allclose(got, expected, atol=1e-7)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_the_gradients_of_softmax(name: str) -> None:
    x, grad = normal(3, 4, 5), normal(3, 4, 5)
    function, backward = getattr(ndkernels, name), getattr(ndkernels, f"{name}_backward")
    for axis in (0, 1, -1):
        expected = differentiated(lambda x, axis=axis: function(x, axis=axis), [x], grad)[0]  # type: ignore[misc]
        np.testing.assert_allclose(backward(grad, function(x, axis=axis), axis=axis), expected, atol=1e-8)


def test_log_softmax() -> None:
    for shape, axis in (((3, 1000), 1), ((3, 40, 70), 1), ((50, 3), 0)):
        x = normal(*shape, dtype="float32") * 5
        top = x.max(axis, keepdims=True).astype("float64")
        expected = x - top - np.log(np.exp(x - top).sum(axis, keepdims=True))
        close(ndkernels.log_softmax(x, axis=axis), expected, eps=16)


def philox(counter: int, seed: int) -> list[int]:
    """Philox4x32-10 as its authors define it."""
    c, key, mask = [counter & 0xFFFFFFFF, counter >> 32, 0, 0], [seed & 0xFFFFFFFF, seed >> 32], 0xFFFFFFFF
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ key[0], b & mask, (a >> 32) ^ c[3] ^ key[1], a & mask]
        key = [(key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask]
    return c


def test_the_reference_generator_is_the_published_one() -> None:
    # The first known answer of Random123's kat_vectors for philox4x32-10.
    assert philox(0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dropout_follows_the_generator(dtype: str) -> None:
    seed, p = 2**62 + 12345, 0.3
    x = normal(7, 333, dtype=dtype)
    words = [word for counter in range((x.size + 3) // 4) for word in philox(counter, seed)][: x.size]
    kept = np.array(words).reshape(x.shape) >= int(p * 2**32)
    expected = np.where(kept, x * x.dtype.type(1 / (1 - p)), x.dtype.type(0))
    np.testing.assert_array_equal(ndkernels.dropout(x, p, seed=seed), expected)
    np.testing.assert_array_equal(ndkernels.dropout(np.asfortranarray(x), p, seed=seed), expected)
    np.testing.assert_array_equal(ndkernels.dropout(x[:, ::-1][:, ::-1], p, seed=seed), expected)
    np.testing.assert_array_equal(ndkernels.dropout_backward(x, p, seed=seed), expected)
    assert 0.25 < 1 - kept.mean() < 0.35


def test_dropout_at_its_ends() -> None:
    x = np.float32([1, np.nan, np.inf])
    np.testing.assert_array_equal(ndkernels.dropout(x, 0.0, seed=1), x)
    np.testing.assert_array_equal(ndkernels.dropout(x, 0.9, seed=1, training=False), x)
    np.testing.assert_array_equal(ndkernels.dropout(x, 1.0, seed=1), np.zeros(3))
    assert ndkernels.dropout(np.float64(3), 0.0, seed=0) == 3
    with pytest.raises(ValueError, match=r"p: 1\.5 is out of range"):
        ndkernels.dropout(x, 1.5, seed=1)
    with pytest.raises(ValueError, match="seed: -1 is out of range"):
        ndkernels.dropout(x, 0.5, seed=-1)


def test_errors_name_the_argument() -> None:
    x = normal(2, 3, 4, dtype="float32")
    with pytest.raises(ValueError, match=r"normalized_shape: \(3,\) is not the shape of the last axes of x"):
        ndkernels.layer_norm(x, 3)
    with pytest.raises(TypeError, match="weight: has dtype float64, and float32 is needed"):
        ndkernels.layer_norm(x, 4, normal(4))
    with pytest.raises(ValueError, match=r"weight: has shape \(3,\), and \(4,\) is needed"):
        ndkernels.layer_norm(x, 4, normal(3, dtype="float32"))
    with pytest.raises(ValueError, match=r"x: has shape \(3,\); accepted are two dimensions and more"):
        ndkernels.local_response_norm(normal(3), 5)
    with pytest.raises(ValueError, match="size: 0 is too small"):
        ndkernels.local_response_norm(x, 0)
    with pytest.raises(ValueError, match="layout: got 'NHWC'"):
        ndkernels.local_response_norm(x, 5, layout="NHWC")
    with pytest.raises(ValueError, match=r"eps: -1\.0 is out of range"):
        ndkernels.layer_norm(x, 4, eps=-1)
