"""ndkernels.gru and its gradients against the definition in float64, and against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ndkernels
from recurrent import network, numerical_gradient, random_states, random_weights

DTYPES = ("float32", "float64")


def check(x: np.ndarray, weights: Any, **options: Any) -> None:
    got, h = ndkernels.gru(x, weights, **options)
    if options.get("initial") is not None:
        options["initial"] = (options["initial"],)
    want, (want_h,) = network("gru", x, weights, **options)
    assert (got.dtype, got.shape, h.dtype, h.shape) == (x.dtype, want.shape, x.dtype, want_h.shape)
    tolerance = 32 * np.finfo(x.dtype).eps
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(h, want_h, rtol=tolerance, atol=tolerance)


def random(*shape: int, dtype: str = "float32") -> np.ndarray:
    return (np.random.default_rng(sum(shape)).random(shape) * 4 - 2).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65])
def test_every_hidden_size(dtype: str, hidden: int) -> None:
    check(random(3, 5, hidden + 1, dtype=dtype), random_weights("gru", hidden + 1, hidden, dtype=dtype))


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 6, 7, 12, 13, 97, 200])
def test_every_batch_size(batch: int) -> None:
    check(random(4, batch, 3), random_weights("gru", 3, 10))


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
        random_weights("gru", 5, 6, layers=layers, directions=directions, dtype=dtype, bias=bias),
        initial=random_states("gru", layers * directions, 7, 6, dtype=dtype)[0],
        layers=layers,
        bidirectional=bidirectional,
        batch_first=batch_first,
        sequence_lengths=[3, 9, 0, 1, 9, 8, 2] if ragged else None,
    )


def test_one_sequence_and_strides() -> None:
    weights = random_weights("gru", 4, 5, layers=2, directions=2)
    check(random(6, 4), weights, initial=random_states("gru", 4, 5)[0], layers=2, bidirectional=True)
    check(random(4, 3, 6).T[::-1], [tuple(np.asfortranarray(each)[::-1] for each in one) for one in weights[:1]])
    check(random(3, 2, 4), [weights[0][:2]])
    check(random(3, 2, 4), [(*weights[0][:2], None, weights[0][3])])


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 2, 0)])
def test_empty_arrays(shape: tuple[int, ...]) -> None:
    weights = random_weights("gru", shape[2], 5, layers=2, directions=2)
    check(np.zeros(shape, "float32"), weights, layers=2, bidirectional=True)
    x, grad = np.zeros(shape, "float32"), np.ones((*shape[:2], 10), "float32")
    assert ndkernels.gru_backward(grad, x, weights, layers=2, bidirectional=True)[0].shape == shape


def test_out_that_shares_memory() -> None:
    (weights,) = random_weights("gru", 6, 6)
    x = random(5, 4, 6)
    want, _ = ndkernels.gru(x, weights)
    assert ndkernels.gru(x, weights, out=x)[0] is x
    np.testing.assert_array_equal(x, want)


@pytest.mark.parametrize(("batch", "features", "hidden"), [(1, 5, 800), (30, 200, 130)])
def test_any_number_of_threads_gives_the_same_bytes(batch: int, features: int, hidden: int) -> None:
    before = ndkernels.get_num_threads()
    weights = random_weights("gru", features, hidden, directions=2)
    x = random(12, batch, features)
    try:
        results = []
        for threads in (1, 2, 3, 8):
            ndkernels.set_num_threads(threads)
            results.append(
                [ndkernels.gru(x, weights[:1])[0].tobytes(), ndkernels.gru(x, weights, bidirectional=True)[0].tobytes()]
            )
    finally:
        ndkernels.set_num_threads(before)
    assert all(each == results[0] for each in results)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
def test_gradients_are_the_differences(bidirectional: bool, ragged: bool) -> None:
    directions = 2 if bidirectional else 1
    weights = random_weights("gru", 3, 2, layers=2, directions=directions, dtype="float64")
    x, (initial,) = random(4, 3, 3, dtype="float64"), random_states("gru", 2 * directions, 3, 2, dtype="float64")
    options: dict[str, Any] = {
        "layers": 2,
        "bidirectional": bidirectional,
        "sequence_lengths": [2, 4, 0] if ragged else None,
    }
    grad, grad_final = random(4, 3, 2 * directions, dtype="float64"), random(2 * directions, 3, 2, dtype="float64")

    def loss() -> float:
        output, h = ndkernels.gru(x, weights, initial=initial, **options)
        return float((output * grad).sum() + (h * grad_final).sum())

    grad_x, grad_weights, grad_initial = ndkernels.gru_backward(
        grad, x, weights, grad_final=grad_final, initial=initial, **options
    )
    pairs = [(grad_x, x), (grad_initial, initial)]
    for got, each in zip(grad_weights, weights, strict=True):
        pairs.extend(zip(got, each, strict=True))
    for got, each in pairs:
        assert got.shape == each.shape
        np.testing.assert_allclose(got, numerical_gradient(loss, each), rtol=1e-7, atol=1e-9)


def test_errors_name_the_argument() -> None:
    x, weights = np.zeros((3, 2, 4)), (np.zeros((15, 4)), np.zeros((15, 5)))
    with pytest.raises(
        ValueError, match=r"weights\[0\]\[1\] \(w_hh\): has shape \(20, 5\), and \(3 \* hidden, hidden\)"
    ):
        ndkernels.gru(x, (np.zeros((20, 4)), np.zeros((20, 5))))
    with pytest.raises(ValueError, match=r"initial: has shape \(2, 5\), and \(layers \* directions, batch, hidden\)"):
        ndkernels.gru(x, weights, initial=np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"grad_final: has shape \(5,\)"):
        ndkernels.gru_backward(None, x, weights, grad_final=np.zeros(5))
    with pytest.raises(ValueError, match=r"out: has shape"):
        ndkernels.gru(x, weights, out=np.zeros((3, 2, 4)))
