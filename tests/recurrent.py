"""The definitions of recurrent layers in plain NumPy and float64, one sequence and one step at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

Weights = list[tuple[Any, ...]]

GATES = {"lstm": 4, "gru": 3}
STATES = {"lstm": 2, "gru": 1}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def step(kind: str, x: np.ndarray, state: list[np.ndarray], weights: tuple[Any, ...]) -> list[np.ndarray]:
    w_ih, w_hh, b_ih, b_hh = weights
    of_x = np.split(w_ih @ x + b_ih, GATES[kind])
    of_h = np.split(w_hh @ state[0] + b_hh, GATES[kind])
    if kind == "lstm":
        i, f, g, o = (one + other for one, other in zip(of_x, of_h, strict=True))
        c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    r, z = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
    return [(1 - z) * np.tanh(of_x[2] + r * of_h[2]) + z * state[0]]


def network(
    kind: str,
    x: np.ndarray,
    weights: Weights,
    *,
    initial: Any = None,
    sequence_lengths: Any = None,
    bidirectional: bool = False,
    layers: int = 1,
    batch_first: bool = False,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the output and the final states."""
    if x.ndim == 2:
        initial = None if initial is None else [each[:, None] for each in initial]
        output, states = network(kind, x[:, None], weights, initial=initial, bidirectional=bidirectional, layers=layers)
        return output[:, 0], [each[:, 0] for each in states]
    x = np.asarray(x, "float64")
    if batch_first:
        x = x.swapaxes(0, 1)
    steps, batch = x.shape[:2]
    directions = 2 if bidirectional else 1
    hidden = weights[0][1].shape[1]
    lengths = [steps] * batch if sequence_lengths is None else sequence_lengths
    states = [np.zeros((layers * directions, batch, hidden)) for _ in range(STATES[kind])]
    if initial is not None:
        states = [np.array(each, "float64") for each in initial]
    for layer in range(layers):
        output = np.zeros((steps, batch, directions * hidden))
        for direction in range(directions):
            place = layer * directions + direction
            full = [0.0 if each is None else np.asarray(each, "float64") for each in (*weights[place], None, None)[:4]]
            for b in range(batch):
                state = [each[place, b] for each in states]
                times = range(lengths[b])
                for t in reversed(times) if direction else times:
                    state = step(kind, x[t, b], state, tuple(full))
                    output[t, b, direction * hidden : (direction + 1) * hidden] = state[0]
                for each, last in zip(states, state, strict=True):
                    each[place, b] = last
        x = output
    return output.swapaxes(0, 1) if batch_first else output, states


def random_weights(
    kind: str,
    features: int,
    hidden: int,
    *,
    layers: int = 1,
    directions: int = 1,
    dtype: str = "float32",
    bias: bool = True,
) -> Weights:
    rng = np.random.default_rng(features * 100 + hidden)
    rows = GATES[kind] * hidden

    def of_shape(*shape: int) -> np.ndarray:
        return (rng.random(shape) * 2 - 1).astype(dtype) / np.asarray(max(hidden, 1) ** 0.5, dtype)

    return [
        (
            of_shape(rows, features if layer == 0 else directions * hidden),
            of_shape(rows, hidden),
            *((of_shape(rows), of_shape(rows)) if bias else (None, None)),
        )
        for layer in range(layers)
        for _ in range(directions)
    ]


def random_states(kind: str, *shape: int, dtype: str = "float32") -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(sum(shape))
    return tuple((rng.random(shape) * 2 - 1).astype(dtype) for _ in range(STATES[kind]))


def numerical_gradient(loss: Callable[[], float], x: np.ndarray) -> np.ndarray:
    """Return central differences of `loss`, which reads `x`."""
    result = np.empty_like(x)
    for place in np.ndindex(x.shape):
        kept = x[place]
        x[place] = kept + 1e-5
        more = loss()
        x[place] = kept - 1e-5
        result[place] = (more - loss()) / 2e-5
        x[place] = kept
    return result
