"""ndkernels.lstm and its gradients against the definition in float64, and against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ndkernels
from recurrent import network, numerical_gradient, random_states, random_weights

DTYPES = ("float32", "float64")


def check(x: np.ndarray, weights: Any, **options: Any) -> None:
    got, (h, c) = ndkernels.lstm(x, weights, **options)
    want, (want_h, want_c) = network("lstm", x, weights, **options)
    assert (got.dtype, got.shape, h.dtype, h.shape, c.shape) == (
        x.dtype,
        want.shape,
        x.dtype,
        want_h.shape,
        want_c.shape,
    )
    tolerance = 32 * np.finfo(x.dtype).eps
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(h, want_h, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(c, want_c, rtol=tolerance, atol=tolerance)


def random(*shape: int, dtype: str = "float32") -> np.ndarray:
    return (np.random.default_rng(sum(shape)).random(shape) * 4 - 2).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65])
def test_every_hidden_size(dtype: str, hidden: int) -> None:
    check(random(3, 5, hidden + 1, dtype=dtype), random_weights("lstm", hidden + 1, hidden, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 25, 48, 49, 97, 200])
def test_every_batch_size(dtype: str, batch: int) -> None:
    check(random(4, batch, 3, dtype=dtype), random_weights("lstm", 3, 10, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
def test_every_option(
    dtype: str, layers: int, bidirectional: bool, batch_first: bool, bias: bool, ragged: bool
) -> None:
    directions = 2 if bidirectional else 1
    x = random(*((7, 9) if batch_first else (9, 7)), 5, dtype=dtype)
    check(
        x,
        random_weights("lstm", 5, 6, layers=layers, directions=directions, dtype=dtype, bias=bias),
        initial=random_states("lstm", layers * directions, 7, 6, dtype=dtype),
        layers=layers,
        bidirectional=bidirectional,
        batch_first=batch_first,
        sequence_lengths=[3, 9, 0, 1, 9, 8, 2] if ragged else None,
    )


def test_more_steps_than_are_multiplied_at_once() -> None:
    lengths = np.random.default_rng(0).integers(0, 131, 20)
    check(random(130, 20, 3), random_weights("lstm", 3, 5, directions=2), bidirectional=True, sequence_lengths=lengths)
    check(random(250, 1, 40, dtype="float64"), random_weights("lstm", 40, 40, dtype="float64"))


def test_one_sequence_without_a_batch() -> None:
    weights = random_weights("lstm", 4, 5, layers=2, directions=2)
    initial = random_states("lstm", 4, 5)
    check(random(6, 4), weights, initial=initial, layers=2, bidirectional=True)
    want = ndkernels.lstm(random(6, 4), weights, layers=2, bidirectional=True)[0]
    np.testing.assert_array_equal(
        ndkernels.lstm(random(6, 4), weights, layers=2, bidirectional=True, batch_first=True)[0], want
    )


def test_strides_and_broadcast_arrays() -> None:
    (full,) = random_weights("lstm", 6, 7)
    weights = [tuple(np.asfortranarray(each)[::-1] if each.ndim == 2 else np.repeat(each, 2)[::2] for each in full)]
    states = [np.broadcast_to(random(7)[::-1], (1, 4, 7)), random(7, 4, 1).T]
    for x in (random(6, 4, 5).T, random(10, 8, 6)[::-2, ::2], np.broadcast_to(random(6), (5, 4, 6))):
        check(x, weights, initial=states)


def test_a_tuple_alone_and_without_biases() -> None:
    ((w_ih, w_hh, b_ih, b_hh),) = random_weights("lstm", 4, 5)
    x = random(3, 2, 4)
    want = ndkernels.lstm(x, [(w_ih, w_hh, b_ih, b_hh)])[0]
    np.testing.assert_array_equal(ndkernels.lstm(x, (w_ih, w_hh, b_ih, b_hh))[0], want)
    np.testing.assert_array_equal(ndkernels.lstm(x, [w_ih, w_hh, b_ih, b_hh])[0], want)
    check(x, [(w_ih, w_hh)])
    check(x, [(w_ih, w_hh, b_ih)])
    check(x, [(w_ih, w_hh, None, b_hh)])


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (0, 0, 4), (3, 2, 0)])
def test_empty_arrays(shape: tuple[int, ...]) -> None:
    weights = random_weights("lstm", shape[2], 5, layers=2, directions=2)
    options = {"layers": 2, "bidirectional": True}
    initial = random_states("lstm", 4, shape[1], 5)
    check(np.zeros(shape, "float32"), weights, initial=initial, **options)
    grads = ndkernels.lstm_backward(
        np.ones((*shape[:2], 10), "float32"), np.zeros(shape, "float32"), weights, **options
    )
    assert grads[0].shape == shape
    assert [[each.shape for each in one] for one in grads[1]] == [[each.shape for each in one] for one in weights]


def test_no_hidden_units() -> None:
    output, (h, c) = ndkernels.lstm(np.zeros((3, 2, 4)), (np.zeros((0, 4)), np.zeros((0, 0))))
    assert (output.shape, h.shape, c.shape) == ((3, 2, 0), (1, 2, 0), (1, 2, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_values_saturate_and_nan_stays_in_its_sequence(dtype: str) -> None:
    big = np.finfo(dtype).max
    x = np.asarray([[[-big], [big], [np.inf], [np.nan], [0]]], dtype)
    got, (_, c) = ndkernels.lstm(x, (np.ones((4, 1), dtype), np.zeros((4, 1), dtype)))
    np.testing.assert_allclose(got[0, :, 0], [0, np.tanh(1), np.tanh(1), np.nan, 0], rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(c[0, :, 0], [0, 1, 1, np.nan, 0], rtol=1e-6, atol=1e-30)


def test_tanh_keeps_small_values() -> None:
    tiny = np.float32([[[1e-20, -3e-30, 1e-3]]])
    weights = (np.kron(np.float32([[0], [0], [1], [0]]), np.eye(3, dtype="float32")), np.zeros((12, 3), "float32"))
    np.testing.assert_allclose(ndkernels.lstm(tiny, weights)[0], tiny / 4, rtol=1e-6)


def test_out_that_shares_memory() -> None:
    weights = random_weights("lstm", 6, 3, layers=2, directions=2)
    x = random(5, 4, 6)
    want, (h, c) = ndkernels.lstm(x, weights, layers=2, bidirectional=True)
    memory = x.copy()
    assert ndkernels.lstm(memory, weights, layers=2, bidirectional=True, out=memory)[0] is memory
    np.testing.assert_array_equal(memory, want)
    strided = np.zeros((4, 5, 12), "float32").swapaxes(0, 1)[..., ::-2]
    got, states = ndkernels.lstm(x, weights, layers=2, bidirectional=True, out=strided)
    assert got is strided
    np.testing.assert_array_equal(strided, want)
    np.testing.assert_array_equal(states, (h, c))


@pytest.mark.parametrize(("batch", "features", "hidden"), [(1, 5, 700), (2, 40, 500), (30, 200, 130), (200, 30, 40)])
def test_any_number_of_threads_gives_the_same_bytes(batch: int, features: int, hidden: int) -> None:
    before = ndkernels.get_num_threads()
    weights = random_weights("lstm", features, hidden, directions=2)
    x, lengths = random(12, batch, features), np.arange(batch) % 13
    try:
        results = []
        for threads in (1, 2, 3, 8):
            ndkernels.set_num_threads(threads)
            output, states = ndkernels.lstm(x, weights[:1])
            both, _ = ndkernels.lstm(x, weights, bidirectional=True, sequence_lengths=lengths)
            results.append([each.tobytes() for each in (output, *states, both)])
    finally:
        ndkernels.set_num_threads(before)
    assert all(each == results[0] for each in results)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
def test_gradients_are_the_differences(bidirectional: bool, batch_first: bool, ragged: bool) -> None:
    directions = 2 if bidirectional else 1
    weights = random_weights("lstm", 3, 2, layers=2, directions=directions, dtype="float64")
    x = random(*((3, 4) if batch_first else (4, 3)), 3, dtype="float64")
    initial = random_states("lstm", 2 * directions, 3, 2, dtype="float64")
    options: dict[str, Any] = {
        "layers": 2,
        "bidirectional": bidirectional,
        "batch_first": batch_first,
        "sequence_lengths": [2, 4, 0] if ragged else None,
    }
    grad = random(*x.shape[:2], 2 * directions, dtype="float64")
    grad_final = tuple(random(2 * directions, 3, 2, dtype="float64") * factor for factor in (1, -0.5))

    def loss() -> float:
        output, states = ndkernels.lstm(x, weights, initial=initial, **options)
        return float(
            (output * grad).sum() + sum((one * two).sum() for one, two in zip(states, grad_final, strict=True))
        )

    grad_x, grad_weights, grad_initial = ndkernels.lstm_backward(
        grad, x, weights, grad_final=grad_final, initial=initial, **options
    )
    pairs = [(grad_x, x), *zip(grad_initial, initial, strict=True)]
    for got, each in zip(grad_weights, weights, strict=True):
        pairs.extend(zip(got, each, strict=True))
    for got, each in pairs:
        assert got.shape == each.shape
        np.testing.assert_allclose(got, numerical_gradient(loss, each), rtol=1e-7, atol=1e-9)


def test_gradients_in_single_precision_and_of_odd_sizes() -> None:
    weights = random_weights("lstm", 35, 37, directions=2, dtype="float64")
    x, grad = random(6, 50, 35, dtype="float64"), random(6, 50, 74, dtype="float64")
    options: dict[str, Any] = {"bidirectional": True, "sequence_lengths": np.arange(50) % 7}
    want = ndkernels.lstm_backward(grad, x, weights, **options)
    single = [tuple(each.astype("float32") for each in one) for one in weights]
    got = ndkernels.lstm_backward(grad.astype("float32"), x.astype("float32"), single, **options)
    np.testing.assert_allclose(got[0], want[0], rtol=1e-4, atol=1e-5)
    for one, two in zip([*got[1][0], *got[1][1], *got[2]], [*want[1][0], *want[1][1], *want[2]], strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


def test_gradients_of_parts() -> None:
    ((w_ih, w_hh, b_ih, b_hh),) = random_weights("lstm", 4, 5)
    x, ones = random(3, 4), np.ones((3, 5), "float32")
    full = ndkernels.lstm_backward(ones, x, (w_ih, w_hh, b_ih, b_hh))
    assert [each.shape for each in full[1]] == [(20, 4), (20, 5), (20,), (20,)]
    assert (full[0].shape, full[2][0].shape, full[2][1].shape) == ((3, 4), (1, 5), (1, 5))
    assert ndkernels.lstm_backward(ones, x, (w_ih, w_hh))[1][2:] == (None, None)
    nothing = ndkernels.lstm_backward(None, x, (w_ih, w_hh))
    assert not nothing[0].any()
    of_h = ndkernels.lstm_backward(None, x, (w_ih, w_hh), grad_final=(ones[:1], None))
    of_last = ndkernels.lstm_backward(np.float32([[0], [0], [1]]) * ones, x, (w_ih, w_hh))
    np.testing.assert_allclose(of_h[0], of_last[0], rtol=1e-6)


def test_errors_name_the_argument() -> None:
    x = np.zeros((3, 2, 4))
    w_ih, w_hh, bias = np.zeros((20, 4)), np.zeros((20, 5)), np.zeros(20)
    lstm = ndkernels.lstm
    cases: list[tuple[type[Exception], str, Any]] = [
        (TypeError, "x: dtype int64 is not supported", lambda: lstm(np.zeros((3, 2, 4), int), (w_ih, w_hh))),
        (ValueError, r"x: has shape \(3,\); accepted are \(steps, batch, features\)", lambda: lstm(np.zeros(3), (w_ih, w_hh))),
        (TypeError, "weights: got ndarray; accepted is a tuple", lambda: lstm(x, w_ih)),
        (ValueError, "weights: has 1 tuples, and 2 layers in 2 directions need 4",
         lambda: lstm(x, (w_ih, w_hh), layers=2, bidirectional=True)),
        (ValueError, "weights: has 0 tuples", lambda: lstm(x, [])),
        (TypeError, r"weights\[1\]: got ndarray", lambda: lstm(x, [(w_ih, w_hh), w_ih], layers=2)),
        (ValueError, r"weights\[0\]: has 1 entries; accepted are 2 to 4", lambda: lstm(x, (w_ih,))),
        (ValueError, r"weights\[0\]\[0\] \(w_ih\): has shape \(20, 3\), and \(4 \* hidden, features\) = \(20, 4\) is needed",
         lambda: lstm(x, (w_ih[:, :3], w_hh))),
        (ValueError, r"weights\[0\]\[1\] \(w_hh\): has shape \(20, 4\), and \(4 \* hidden, hidden\) = \(16, 4\)",
         lambda: lstm(x, (w_ih, w_hh[:, :4]))),
        (ValueError, r"weights\[0\]\[3\] \(b_hh\): has shape \(19,\)", lambda: lstm(x, (w_ih, w_hh, bias, bias[1:]))),
        (ValueError, r"weights\[1\]\[0\] \(w_ih\): has shape \(20, 4\), and .* = \(20, 5\)",
         lambda: lstm(x, [(w_ih, w_hh), (w_ih, w_hh)], layers=2)),
        (TypeError, r"weights\[0\]\[2\] \(b_ih\): has dtype float32, and float64 is needed",
         lambda: lstm(x, (w_ih, w_hh, bias.astype("float32")))),
        (TypeError, "initial: got ndarray; accepted is a tuple", lambda: lstm(x, (w_ih, w_hh), initial=np.zeros((1, 2, 5)))),
        (ValueError, "initial: has 1 entries", lambda: lstm(x, (w_ih, w_hh), initial=(np.zeros((1, 2, 5)),))),
        (ValueError, r"initial\[1\] \(c\): has shape \(2, 5\), and \(layers \* directions, batch, hidden\) = \(1, 2, 5\)",
         lambda: lstm(x, (w_ih, w_hh), initial=(np.zeros((1, 2, 5)), np.zeros((2, 5))))),
        (ValueError, r"sequence_lengths: has shape \(3,\); accepted are 2 integers from 0 to 3",
         lambda: lstm(x, (w_ih, w_hh), sequence_lengths=[1, 2, 3])),
        (ValueError, "sequence_lengths: 4 is out of range", lambda: lstm(x, (w_ih, w_hh), sequence_lengths=[4, 1])),
        (ValueError, "sequence_lengths: -1 is out of range", lambda: lstm(x, (w_ih, w_hh), sequence_lengths=[1, -1])),
        (TypeError, "sequence_lengths: has dtype float64", lambda: lstm(x, (w_ih, w_hh), sequence_lengths=[1.0, 2.0])),
        (ValueError, "sequence_lengths: is ragged", lambda: lstm(x, (w_ih, w_hh), sequence_lengths=[[1], [1, 2]])),
        (ValueError, "sequence_lengths: x of shape .* has no axis of the batch",
         lambda: lstm(x[:, 0], (w_ih, w_hh), sequence_lengths=[1])),
        (ValueError, "layers: 0 is too small", lambda: lstm(x, (w_ih, w_hh), layers=0)),
        (TypeError, "bidirectional: got int", lambda: lstm(x, (w_ih, w_hh), bidirectional=1)),
        (ValueError, r"out: has shape \(3, 2, 4\), and the result has \(3, 2, 5\)",
         lambda: lstm(x, (w_ih, w_hh), out=np.zeros((3, 2, 4)))),
        (ValueError, r"grad: has shape \(3, 2, 4\), and the output's = \(3, 2, 5\) is needed",
         lambda: ndkernels.lstm_backward(x, x, (w_ih, w_hh))),
        (ValueError, r"grad_final\[0\] \(h\): has shape", lambda: ndkernels.lstm_backward(None, x, (w_ih, w_hh), grad_final=(x, x))),
    ]  # fmt: skip
    for kind, message, call in cases:
        with pytest.raises(kind, match=message):
            call()


def test_calls_of_the_kernel_that_do_not_fit_are_refused() -> None:
    f = np.float32
    x, w_ih, w_hh, bias = np.zeros((3, 2, 4), f), np.zeros((20, 4), f), np.zeros((20, 5), f), np.zeros(20, f)
    results = (((3, 2, 5), "float32", None), ((1, 2, 5), "float32", None), ((1, 2, 5), "float32", None))
    good: list[Any] = [x, None, None, None, w_ih, w_hh, bias, bias]
    call = ndkernels._binding.call
    call("lstm", tuple(good), results, (0,), ())
    wrong = {
        0: [np.zeros(4, f), np.zeros((3, 2, 3), f), np.zeros((3, 2, 4)), np.zeros((3, 2, 4), int)],
        1: [np.zeros((1, 2, 4), f), np.zeros((1, 2, 5))],
        2: [np.zeros((2, 2, 5), f)],
        3: [np.zeros(2, "int32"), np.int64([1, 4]), np.int64([-1, 1]), np.int64([1, 1, 1])],
        4: [None, np.zeros((20, 5), f)],
        5: [None, np.zeros((16, 4), f)],
        6: [np.zeros(19, f), np.zeros(20)],
    }
    for place, others in wrong.items():
        for other in others:
            with pytest.raises((ValueError, TypeError, RuntimeError)):
                call("lstm", (*good[:place], other, *good[place + 1 :]), results, (0,), ())
    for outputs in (results[:2], (*results, results[0]), (((3, 2, 6), "float32", None), *results[1:])):
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            call("lstm", tuple(good), outputs, (0,), ())
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        call("lstm", tuple(good[:7]), results, (0,), ())
