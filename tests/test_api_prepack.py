"""Weights that are prepared once: the same bits as without, and errors where they are used for something else."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import threading
from typing import Any

import ml_dtypes  # noqa: F401 -- gives NumPy bfloat16
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ndkernels as nk
from ndkernels import _binding

FLOATS = ["float32", "float64"]
PRODUCTS = [*FLOATS, "float16", "bfloat16"]


def normal(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(shape)
    return (values * 20).astype(dtype) if dtype == "int8" else values.astype(dtype)


def same(got: Any, expected: Any) -> None:
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", PRODUCTS)
@pytest.mark.parametrize("n", [1, 2, 7, 33, 130, 600])
@pytest.mark.parametrize("k", [1, 5, 300, 1030])
def test_linear(dtype: str, k: int, n: int) -> None:
    weight, bias = normal((n, k), dtype, 1), normal((n,), dtype, 2)
    packed = nk.prepack("linear", weight)
    for m in (1, 2, 13, 70, 500):
        x = normal((m, k), dtype)
        same(nk.linear(x, packed, bias, activation="relu"), nk.linear(x, weight, bias, activation="relu"))
        same(nk.linear(x.reshape(1, m, k), packed), nk.linear(x.reshape(1, m, k), weight))
        out = np.empty((n, m), dtype).T
        same(nk.linear(x, packed, out=out), nk.linear(x, weight, out=np.empty((n, m), dtype).T))


@pytest.mark.parametrize("dtype", [*PRODUCTS, "int8"])
@pytest.mark.parametrize("transposed", [False, True])
def test_matmul(dtype: str, transposed: bool) -> None:
    for k, n in ((1, 1), (3, 40), (300, 7), (517, 130), (64, 1000)):
        weight = normal((n, k), dtype, 1).T if transposed else normal((k, n), dtype, 1)
        packed = nk.prepack("matmul", weight)
        for shape in ((k,), (1, k), (2, k), (50, k), (3, 2, k), (2, 1, 5, k), (500, k), (0, k)):
            x = normal(shape, dtype)
            same(nk.matmul(x, packed), nk.matmul(x, weight))


CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 32, 20, 20), (40, 32, 3, 3), {"padding": 1}),  # Winograd
    ((3, 24, 30, 30), (56, 12, 3, 3), {"padding": 1, "groups": 2}),
    ((1, 512, 6, 6), (20, 512, 1, 1), {}),
    ((2, 512, 16, 16), (20, 512, 1, 1), {"stride": 2}),  # rows that share sets of the cache
    ((1, 512, 16, 16), (20, 512, 1, 1), {}),
    ((1, 256, 14, 14), (16, 256, 3, 3), {"padding": 1, "stride": 2}),
    ((1, 64, 20, 20), (8, 64, 3, 3), {"dilation": 2}),
    ((2, 8, 9, 9), (8, 1, 3, 3), {"groups": 8, "padding": 1}),
    ((1, 3, 32, 32), (16, 3, 7, 7), {"stride": 2, "padding": 3}),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(("images", "filters", "options"), CONVOLUTIONS)
def test_conv2d(
    dtype: str, known: bool, layout: str, images: tuple[int, ...], filters: tuple[int, ...], options: dict[str, Any]
) -> None:
    x, weight, bias = normal(images, dtype), normal(filters, dtype, 1), normal(filters[:1], dtype, 2)
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    arguments = {**options, "layout": layout}
    packed = nk.prepack("conv2d", weight, **arguments, **({"input_shape": x.shape} if known else {}))
    same(nk.conv2d(x, packed, bias, **arguments), nk.conv2d(x, weight, bias, **arguments))
    # Images of another shape than it was prepared for
    other = np.concatenate([x, x])[:, :, ::-1]
    same(nk.conv2d(other, packed, bias, **arguments), nk.conv2d(other, weight, bias, **arguments))


@pytest.mark.own_bits
@pytest.mark.parametrize("dtype", FLOATS)
def test_weights_of_any_strides(dtype: str) -> None:
    x, wide = normal((1, 16, 12, 12), dtype), normal((40, 16, 5, 5), dtype, 1)
    for weight in (wide[::2, :, 1:4, ::2], wide[:, :, :3, :3].transpose(0, 1, 3, 2), wide[::-1, ::-1]):
        same(nk.conv2d(x, nk.prepack("conv2d", weight)), nk.conv2d(x, weight))


@pytest.mark.parametrize("dtype", FLOATS)
def test_one_and_three_axes(dtype: str) -> None:
    x, weight = normal((2, 128, 200), dtype), normal((9, 128, 4), dtype, 1)
    same(nk.conv1d(x, nk.prepack("conv1d", weight)), nk.conv1d(x, weight))
    for kernel in ((1, 3, 3), (2, 2, 2), (3, 3, 3)):
        x, weight = normal((1, 64, 9, 12, 12), dtype), normal((24, 64, *kernel), dtype, 1)
        same(nk.conv3d(x, nk.prepack("conv3d", weight)), nk.conv3d(x, weight))


def test_sums_that_overflow_in_winograd() -> None:
    x, weight = normal((1, 16, 16, 16), "float32"), normal((16, 16, 3, 3), "float32", 1)
    x[0, 3, 4, 5] = np.inf
    packed = nk.prepack("conv2d", weight, padding=1, input_shape=x.shape)
    same(nk.conv2d(x, packed, padding=1), nk.conv2d(x, weight, padding=1))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("op", "gates"), [("lstm", 4), ("gru", 3)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent(dtype: str, op: str, gates: int, layers: int, bidirectional: bool) -> None:
    directions = 2 if bidirectional else 1
    for inputs, hidden in ((5, 3), (20, 70)):
        weights: list[Any] = []
        for i in range(layers * directions):
            features = inputs if i < directions else directions * hidden
            weight = (normal((gates * hidden, features), dtype, i), normal((gates * hidden, hidden), dtype, i + 9))
            bias = normal((gates * hidden,), dtype, i + 20)
            weights.append((*weight, bias, bias) if i % 2 == 0 else weight)
        options = {"layers": layers, "bidirectional": bidirectional}
        packed = nk.prepack(op, weights, **options)
        assert packed.gain
        function: Any = getattr(nk, op)
        for steps, batch in ((1, 1), (9, 1), (4, 30)):
            x = normal((steps, batch, inputs), dtype)
            got, expected = function(x, packed, **options), function(x, weights, **options)
            same(got[0], expected[0])
            for state, wanted in zip(got[1], expected[1], strict=True):
                same(state, wanted)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*PRODUCTS, "int8"]),
    st.integers(0, 80),
    st.integers(0, 600),
    st.integers(0, 150),
    st.integers(1, 3),
    st.booleans(),
)
def test_products_have_the_same_bits(dtype: str, m: int, k: int, n: int, step: int, transposed: bool) -> None:
    weight = normal((n, k * step), dtype, 1)[:, ::step].T if transposed else normal((k * step, n), dtype, 1)[::step]
    packed = nk.prepack("matmul", weight)
    x = normal((m, k), dtype)
    same(nk.matmul(x, packed), nk.matmul(x, packed.weight))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FLOATS), st.integers(1, 2), st.integers(1, 40), st.integers(1, 40), st.integers(1, 3),
    st.integers(1, 2), st.integers(3, 20), st.booleans(),
)  # fmt: skip
def test_convolutions_have_the_same_bits(
    dtype: str, groups: int, channels: int, filters: int, kernel: int, stride: int, extent: int, known: bool
) -> None:
    x = normal((2, groups * channels, extent, extent + 3), dtype)
    weight = normal((groups * filters, channels, kernel, kernel), dtype, 1)
    options = {"groups": groups, "stride": stride, "padding": 1}
    packed = nk.prepack("conv2d", weight, **options, **({"input_shape": x.shape} if known else {}))
    same(nk.conv2d(x, packed, **options), nk.conv2d(x, weight, **options))


def test_what_it_says() -> None:
    weight = normal((40, 30), "float32")
    packed = nk.prepack("linear", weight)
    kept = weight.copy()
    weight[:] = 0
    same(np.asarray(packed.weight), kept)
    assert not packed.weight.flags.writeable
    assert (packed.op, packed.shape, packed.gain, packed.options) == ("linear", (40, 30), True, {})
    assert packed.nbytes >= kept.nbytes
    assert repr(packed) == f"<weights (40, 30) for linear: {packed.nbytes} bytes packed>"
    same(nk.linear(kept[:4], packed), nk.linear(kept[:4], kept))
    plain = nk.prepack("conv2d", normal((8, 3, 2, 2), "float32"), stride=2)
    assert (plain.gain, plain.nbytes) == (False, 0)
    assert repr(plain) == (
        "<weights (8, 3, 2, 2) for conv2d, stride=(2, 2), dilation=(1, 1), groups=1: nothing to gain>"
    )


def test_it_does_not_change_and_is_not_pickled() -> None:
    packed = nk.prepack("linear", normal((4, 3), "float32"))
    with pytest.raises(AttributeError, match=r"do not change. Call prepack"):
        packed.weight = None
    with pytest.raises(AttributeError, match=r"do not change. Call prepack"):
        del packed.op
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"cannot be pickled or copied. Pickle its attribute `weight`"):
            attempt(packed)


def test_wrong_use() -> None:
    x, weight = normal((1, 8, 9, 9), "float32"), normal((8, 8, 3, 3), "float32")
    packed = nk.prepack("conv2d", weight)
    matrix = nk.prepack("linear", weight[0, 0])
    with pytest.raises(
        TypeError, match=r"^weight: was prepacked for conv2d, and this is linear. Call prepack\('linear'"
    ):
        nk.linear(x, packed)
    with pytest.raises(TypeError, match=r"^weight: was prepacked for linear, and this is conv2d"):
        nk.conv2d(x, matrix)
    with pytest.raises(TypeError, match=r"^weights: was prepacked for linear, and this is lstm"):
        nk.lstm(x[0], matrix)
    nk.prepack("matmul", weight[0, 0])
    with pytest.raises(TypeError, match=r"^x2: was prepacked for linear, and this is matmul"):
        nk.matmul(weight[0, 0], matrix)
    with pytest.raises(ValueError, match=r"^stride: is \(2, 2\) here, and weight was prepacked for \(1, 1\). Pass the"):
        nk.conv2d(x, packed, stride=2)
    with pytest.raises(ValueError, match=r"^weight: has 8 channels per group"):
        nk.conv2d(x[:, :4], packed)
    with pytest.raises(TypeError, match=r"^weight: has dtype float32, and float64 is needed"):
        nk.conv2d(x.astype("float64"), packed)
    with pytest.raises(TypeError, match=r"^x: got PackedWeights"):
        nk.conv2d(packed, packed)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="PackedWeights"):
        nk.linear_backward(x, x, matrix)  # type: ignore[arg-type]


def test_wrong_arguments() -> None:
    matrix = np.ones((3, 3), "float32")
    with pytest.raises(ValueError, match=r"^op: got 'conv'; accepted are 'linear'"):
        nk.prepack("conv", matrix)
    with pytest.raises(TypeError, match=r"^stride: is no option of prepack\('linear', ...\); accepted are none"):
        nk.prepack("linear", matrix, stride=1)
    with pytest.raises(TypeError, match=r"^weight: "):
        nk.prepack("linear", [1])
    with pytest.raises(TypeError, match=r"^weight: "):
        nk.prepack("linear", matrix.astype("int8"))
    for op in ("linear", "matmul"):
        with pytest.raises(ValueError, match=r"^weight: has shape \(3,\)"):
            nk.prepack(op, matrix[0])
    with pytest.raises(ValueError, match=r"^weight: has 2 dimensions"):
        nk.prepack("conv2d", matrix)
    with pytest.raises(TypeError, match=r"^input_shape: got int; accepted is a tuple"):
        nk.prepack("conv2d", matrix[None, None], input_shape=3)
    with pytest.raises(ValueError, match=r"^weight: has 1 channels per group"):
        nk.prepack("conv2d", matrix[None, None], input_shape=(1, 2, 5, 5))
    with pytest.raises(ValueError, match=r"^weight: the kernel spans"):
        nk.prepack("conv2d", matrix[None, None], input_shape=(1, 1, 2, 2))
    with pytest.raises(ValueError, match=r"^groups: 2 does not divide"):
        nk.prepack("conv2d", matrix[None, None], groups=2)
    with pytest.raises(ValueError, match=r"^weights: has 1 tuples, and 2 layers"):
        nk.prepack("lstm", (np.ones((4, 1)), np.ones((4, 1))), layers=2)
    with pytest.raises(TypeError, match=r"^weights"):
        nk.prepack("lstm", None)


def test_explain_takes_it() -> None:
    packed = nk.prepack("linear", normal((40, 30), "float32"))
    explanation = nk.explain("linear", (5, 30), packed)
    assert explanation.shapes == ((5, 30), (40, 30))
    assert explanation.operations[0][0] == "linear"
    weights = nk.prepack("lstm", (normal((8, 3), "float32"), normal((8, 2), "float32")))
    assert nk.explain("lstm", (5, 1, 3), weights).operations[0][0] == "lstm"
    right = nk.prepack("matmul", normal((3, 2), "float32"))
    assert nk.explain("matmul", (5, 3), right).operations[0][0] == "matmul"


def test_threads_share_it() -> None:
    weight = normal((64, 300), "float32")
    packed = nk.prepack("linear", weight)
    inputs = [normal((9, 300), "float32", seed) for seed in range(4)]
    expected = [nk.linear(x, weight) for x in inputs]
    wrong: list[int] = []

    def compute(i: int) -> None:
        wrong.extend(i for _ in range(50) if nk.linear(inputs[i], packed).tobytes() != expected[i].tobytes())

    threads = [threading.Thread(target=compute, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.own_bits
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_may_use_it() -> None:
    weight = normal((64, 300), "float32")
    packed = nk.prepack("linear", weight)
    expected = nk.linear(weight[:9], weight).tobytes()
    child = os.fork()
    if child == 0:
        os._exit(0 if nk.linear(weight[:9], packed).tobytes() == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_numbers_are_never_used_twice() -> None:
    numbers = set()
    for _ in range(5):
        (buffer,) = nk.prepack("linear", np.ones((3, 3), "float32")).buffers_for("linear")
        numbers.add(buffer.id)
        del buffer
        gc.collect()
    assert len(numbers) == 5


def test_what_was_packed_of_others_is_left_alone() -> None:
    x, weight = normal((6, 30), "float32"), normal((40, 30), "float32", 1)
    expected = nk.linear(x, weight)
    lstm = (normal((40, 30), "float32"), normal((40, 10), "float32"))
    for other in (
        nk.prepack("linear", normal((40, 31), "float32")),
        nk.prepack("linear", normal((40, 30), "float64")),
        nk.prepack("conv2d", normal((40, 30, 3, 3), "float32")),
        nk.prepack("lstm", lstm),
    ):
        (buffer,) = other._buffers
        outputs = (((6, 40), "float32", None),)
        same(_binding.call_packed("linear", (x, weight, None), outputs, (0,), (), buffer), expected)


def test_operators_refuse_what_they_cannot_pack() -> None:
    matrix = np.ones((3, 3), "float32")
    for name, inputs, integers in (
        ("matmul_pack", (matrix[0],), []),
        ("matmul_pack", (matrix, matrix), []),
        ("matmul_pack", (matrix.astype("int64"),), []),
        ("convolution_pack", (matrix, None, None), [0] * 11),
        ("convolution_pack", (matrix[None, None], matrix[None, None], None), [0, 1, *[1] * 6, 0, 0, 0]),
        ("lstm_pack", (matrix, matrix, None, None), []),
        ("gru_pack", (matrix, None, None, None), []),
    ):
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            _binding.Packed(name, inputs, integers)
    with pytest.raises(LookupError):
        _binding.Packed("no_such_pack", (matrix,), [])
