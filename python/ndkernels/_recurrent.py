"""Recurrent layers and their gradients, with the meaning and the order of gates of torch.nn.LSTM and torch.nn.GRU."""

from __future__ import annotations

import numpy as np

from ndkernels import _binding
from ndkernels._checks import array, flag, integer, optional_array, same_dtype
from ndkernels._contractions import matmul
from ndkernels._packed import PackedWeights
from ndkernels._reductions import sum  # noqa: A004 -- the standard's name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    from ndkernels.typing import Array

    Weights: TypeAlias = "tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]"

__all__ = ["gru", "gru_backward", "lstm", "lstm_backward"]


def lstm(
    x: Array,
    weights: Sequence[Any] | PackedWeights,
    /,
    *,
    initial: tuple[Array, Array] | None = None,
    sequence_lengths: Any = None,
    bidirectional: bool = False,
    layers: int = 1,
    batch_first: bool = False,
    out: Array | None = None,
) -> tuple[NDArray[Any], tuple[NDArray[Any], NDArray[Any]]]:
    """Run a long short-term memory over sequences, as torch.nn.LSTM does.

    For each step, with sigmoid and tanh applied to each element and gates in the order i, f, g, o::

        i, f, o = sigmoid(w_ih x + b_ih + w_hh h + b_hh)    g = tanh(w_ih x + b_ih + w_hh h + b_hh)
        c = f c + i g                                       h = o tanh(c)

    Parameters
    ----------
    x
        Sequences of float32 or float64 of shape (steps, batch, features), or (batch, steps, features) with
        `batch_first`, or one sequence (steps, features). Any strides.
    weights
        For each layer and, within it, each direction (forward first) a tuple (w_ih, w_hh, b_ih, b_hh) of x's dtype and of
        shapes (4 * hidden, features), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,). The features of a later layer
        are the outputs of the one before. A bias may be None, and the tuple may end before the biases. One such tuple
        alone stands for a single layer in one direction. Or what `prepack` made of all that.
    initial
        The states (h, c) before the first step, each of shape (layers * directions, batch, hidden), without the axis of
        the batch where x has none. None stands for zeros.
    sequence_lengths
        How many steps of each sequence count: integers of shape (batch,), from 0 to steps. Behind its end a sequence's
        output is 0; its final state is that of its last step, and the reverse direction starts there. None stands for
        all steps.
    bidirectional
        Whether there is a second direction, which runs from a sequence's end to its start.
    layers
        How many layers are stacked.
    batch_first
        Whether the batch is the first axis of `x` and of the output. States always have it second.
    out
        Where the output goes: a writable array of its shape and dtype. It may share memory with the inputs.

    Returns
    -------
    The output, `out` or a new NumPy array with the axes of `x` and hidden features, or 2 * hidden with `bidirectional`;
    and the states (h, c) behind the last step, each a new array of the shape of the initial one.

    Raises
    ------
    TypeError
        for an object that is no array, another or a mixed dtype, and weights that are no tuples.
    ValueError
        for shapes that do not fit each other, lengths out of range, another device, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> w_ih, w_hh = np.ones((4, 1)), np.zeros((4, 1))
    >>> output, (h, c) = lstm(np.float64([[0], [1]]), (w_ih, w_hh))
    >>> output.round(3)
    array([[0.  ],
           [0.37]])
    """
    network = _Network(_LSTM, x, weights, sequence_lengths, bidirectional, layers, batch_first)
    output, states = network.run(network.states(initial, "initial", "(h, c)"), out)
    return output, (states[0], states[1])


def lstm_backward(
    grad: Array | None,
    x: Array,
    weights: Sequence[Any],
    /,
    *,
    grad_final: tuple[Array | None, Array | None] | None = None,
    initial: tuple[Array, Array] | None = None,
    sequence_lengths: Any = None,
    bidirectional: bool = False,
    layers: int = 1,
    batch_first: bool = False,
) -> tuple[NDArray[Any], Any, tuple[NDArray[Any], NDArray[Any]]]:
    """Return the gradients of a loss that `lstm` led to: back-propagation through all steps, layers and directions.

    Parameters
    ----------
    grad
        The loss's gradient with respect to the output, of the output's shape. None stands for zeros.
    x, weights, initial, sequence_lengths, bidirectional, layers, batch_first
        What `lstm` was given.
    grad_final
        The gradients with respect to the final states (h, c), each of the state's shape, or None for zeros.

    Returns
    -------
    The gradient of `x`; those of the weights, tuples as `weights` has them (one alone where that was one alone, and None
    for a bias that was not there); and those of the initial states (h, c). All are new arrays.

    Raises
    ------
    TypeError, ValueError
        as `lstm`.

    Notes
    -----
    The forward pass is computed again, and its gates are kept: (layers * directions * 9 + directions) * steps * batch *
    hidden elements.
    """
    network = _Network(_LSTM, x, weights, sequence_lengths, bidirectional, layers, batch_first)
    states = network.states(initial, "initial", "(h, c)")
    grad_x, grad_weights, grads = network.gradients(grad, network.states(grad_final, "grad_final", "(h, c)"), states)
    return grad_x, grad_weights, (grads[0], grads[1])


def gru(
    x: Array,
    weights: Sequence[Any] | PackedWeights,
    /,
    *,
    initial: Array | None = None,
    sequence_lengths: Any = None,
    bidirectional: bool = False,
    layers: int = 1,
    batch_first: bool = False,
    out: Array | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Run gated recurrent units over sequences, as torch.nn.GRU does.

    For each step, with sigmoid and tanh applied to each element and gates in the order r, z, n::

        r, z = sigmoid(w_ih x + b_ih + w_hh h + b_hh)    n = tanh(w_ih x + b_ih + r (w_hh h + b_hh))
        h = (1 - z) n + z h

    which is the GRU of ONNX with linear_before_reset = 1 (and its gates in another order).

    Parameters
    ----------
    x
        Sequences of float32 or float64 of shape (steps, batch, features), or (batch, steps, features) with
        `batch_first`, or one sequence (steps, features). Any strides.
    weights
        For each layer and, within it, each direction (forward first) a tuple (w_ih, w_hh, b_ih, b_hh) of x's dtype and of
        shapes (3 * hidden, features), (3 * hidden, hidden), (3 * hidden,), (3 * hidden,). The features of a later layer
        are the outputs of the one before. A bias may be None, and the tuple may end before the biases. One such tuple
        alone stands for a single layer in one direction. Or what `prepack` made of all that.
    initial
        The state h before the first step, of shape (layers * directions, batch, hidden), without the axis of the batch
        where x has none. None stands for zeros.
    sequence_lengths, bidirectional, layers, batch_first, out
        As in `lstm`.

    Returns
    -------
    The output, `out` or a new NumPy array with the axes of `x` and hidden features, or 2 * hidden with `bidirectional`;
    and the state h behind the last step, a new array of the shape of the initial one.

    Raises
    ------
    TypeError, ValueError
        as `lstm`.

    Examples
    --------
    >>> import numpy as np
    >>> w_ih, w_hh = np.ones((3, 1)), np.zeros((3, 1))
    >>> output, h = gru(np.float64([[0], [1]]), (w_ih, w_hh))
    >>> output.round(3)
    array([[0.   ],
           [0.205]])
    """
    network = _Network(_GRU, x, weights, sequence_lengths, bidirectional, layers, batch_first)
    output, states = network.run(network.states(None if initial is None else (initial,), "initial", "h"), out)
    return output, states[0]


def gru_backward(
    grad: Array | None,
    x: Array,
    weights: Sequence[Any],
    /,
    *,
    grad_final: Array | None = None,
    initial: Array | None = None,
    sequence_lengths: Any = None,
    bidirectional: bool = False,
    layers: int = 1,
    batch_first: bool = False,
) -> tuple[NDArray[Any], Any, NDArray[Any]]:
    """Return the gradients of a loss that `gru` led to: back-propagation through all steps, layers and directions.

    Parameters
    ----------
    grad
        The loss's gradient with respect to the output, of the output's shape. None stands for zeros.
    x, weights, initial, sequence_lengths, bidirectional, layers, batch_first
        What `gru` was given.
    grad_final
        The gradient with respect to the final state h, of its shape, or None for zeros.

    Returns
    -------
    The gradient of `x`; those of the weights, tuples as `weights` has them (one alone where that was one alone, and None
    for a bias that was not there); and that of the initial state h. All are new arrays.

    Raises
    ------
    TypeError, ValueError
        as `gru`.

    Notes
    -----
    The forward pass is computed again, and its gates are kept: (layers * directions * 8 + directions) * steps * batch *
    hidden elements.
    """
    network = _Network(_GRU, x, weights, sequence_lengths, bidirectional, layers, batch_first)
    states = network.states(None if initial is None else (initial,), "initial", "h")
    final = network.states(None if grad_final is None else (grad_final,), "grad_final", "h")
    grad_x, grad_weights, grads = network.gradients(grad, final, states)
    return grad_x, grad_weights, grads[0]


class _Cell:
    """A kind of cell: the operator's name, and how many gates and states a unit has."""

    def __init__(self, name: str, gates: int, states: int) -> None:
        self.name = name
        self.gates = gates
        self.states = states


_LSTM = _Cell("lstm", 4, 2)
_GRU = _Cell("gru", 3, 1)


def pack_network(
    name: str, weights: Any, layers: Any, bidirectional: Any
) -> tuple[list[Weights], dict[str, Any], tuple[_binding.Packed, ...]]:
    """Return copies of the weights, what they are packed for, and each layer packed; raises as `lstm` for weights."""
    first: Any = weights
    while isinstance(first, (tuple, list)) and first:
        first = first[0]
    first = array(first, "weights[0][0] (w_ih)")
    x = np.empty((0, first.shape[-1] if first.ndim else 0), first.dtype)
    network = _Network(_LSTM if name == "lstm" else _GRU, x, weights, None, bidirectional, layers, False)
    copies: list[Any] = []
    for each in network.weights:
        copies.append(tuple(None if part is None else part.copy(order="C") for part in each))
        for part in copies[-1]:
            if part is not None:
                part.flags.writeable = False
    buffers = []
    for layer in range(network.layers):
        inputs: list[Any] = []
        for each in copies[layer * network.directions : (layer + 1) * network.directions]:
            inputs.extend(each)
        buffers.append(_binding.Packed(f"{name}_pack", tuple(inputs), []))
    return copies, {"layers": network.layers, "bidirectional": network.directions == 2}, tuple(buffers)


class _Network:
    """The arguments that forward and backward share, checked."""

    def __init__(
        self,
        cell: _Cell,
        x: Array,
        weights: Sequence[Any] | PackedWeights,
        sequence_lengths: Any,
        bidirectional: bool,
        layers: int,
        batch_first: bool,
    ) -> None:
        self.cell = cell
        self.x = array(x, "x")
        self.directions = 2 if flag(bidirectional, "bidirectional") else 1
        self.layers = integer(layers, "layers", least=1)
        batch_first = flag(batch_first, "batch_first")
        if self.x.ndim not in {2, 3}:
            raise ValueError(
                f"x: has shape {self.x.shape}; accepted are (steps, batch, features), (batch, steps, features) with "
                "batch_first=True, and (steps, features) for one sequence. Pass an array of 2 or 3 dimensions."
            )
        self.batched = self.x.ndim == 3
        self.batch_first = batch_first and self.batched
        steps, batch = (self.x.shape[1], self.x.shape[0]) if self.batch_first else self.x.shape[:2]
        self.steps: int = steps
        self.batch: int = batch if self.batched else 1
        self.single = False
        self.packed: tuple[_binding.Packed, ...] = ()
        if isinstance(weights, PackedWeights):
            self.packed = weights.buffers_for(
                cell.name, "weights", layers=self.layers, bidirectional=self.directions == 2
            )
            weights = weights.weight
        self.weights = self._weights(weights)
        self.hidden: int = self.weights[0][1].shape[1]
        self.lengths = self._lengths(sequence_lengths)

    def _weights(self, given: Any) -> list[Weights]:
        accepted = "a tuple (w_ih, w_hh, b_ih, b_hh) for each layer and direction"
        if not isinstance(given, (tuple, list)):
            raise TypeError(f"weights: got {type(given).__name__}; accepted is {accepted}. Pass a list of tuples.")
        if given and not any(isinstance(each, (tuple, list)) for each in given):
            given = [given]
            self.single = True
        needed = self.layers * self.directions
        if len(given) != needed:
            raise ValueError(
                f"weights: has {len(given)} tuples, and {self.layers} layers in {self.directions} directions need {needed}: "
                f"{accepted}. Pass {needed} tuples, or other layers= and bidirectional=."
            )
        hidden = None
        result = []
        features = self.x.shape[-1]
        for i, each in enumerate(given):
            name = f"weights[{i}]"
            if not isinstance(each, (tuple, list)):
                raise TypeError(f"{name}: got {type(each).__name__}; accepted is {accepted}. Pass a list of tuples.")
            if not 2 <= len(each) <= 4:
                raise ValueError(
                    f"{name}: has {len(each)} entries; accepted are 2 to 4: (w_ih, w_hh, b_ih, b_hh). Pass these."
                )
            w_ih, w_hh = array(each[0], f"{name}[0] (w_ih)"), array(each[1], f"{name}[1] (w_hh)")
            biases = [*each[2:], None, None][:2]
            b_ih, b_hh = optional_array(biases[0], f"{name}[2] (b_ih)"), optional_array(biases[1], f"{name}[3] (b_hh)")
            if hidden is None:
                hidden = w_hh.shape[-1] if w_hh.ndim else 0
            rows = self.cell.gates * hidden
            if i >= self.directions:
                features = self.directions * hidden
            for part, shape, meaning in (
                (w_hh, (rows, hidden), f"[1] (w_hh)|({self.cell.gates} * hidden, hidden)"),
                (w_ih, (rows, features), f"[0] (w_ih)|({self.cell.gates} * hidden, features)"),
                (b_ih, (rows,), f"[2] (b_ih)|({self.cell.gates} * hidden,)"),
                (b_hh, (rows,), f"[3] (b_hh)|({self.cell.gates} * hidden,)"),
            ):
                place, _, symbols = meaning.partition("|")
                _fit(part, name + place, shape, symbols, f"hidden = {hidden} and features = {features}")
                same_dtype(self.x.dtype, **{name + place: part})
            result.append((w_ih, w_hh, b_ih, b_hh))
        return result

    def _lengths(self, given: Any) -> NDArray[Any] | None:
        if given is None:
            return None
        accepted = f"accepted are {self.batch} integers from 0 to {self.steps}"
        if not self.batched:
            raise ValueError(
                f"sequence_lengths: x of shape {self.x.shape} has no axis of the batch. Pass only the steps that count."
            )
        try:
            lengths = np.asarray(given)
        except ValueError:
            raise ValueError(f"sequence_lengths: is ragged; {accepted}. Pass one for each sequence.") from None
        if lengths.dtype.kind not in "iu" and lengths.size:
            raise TypeError(f"sequence_lengths: has dtype {lengths.dtype}; {accepted}. Pass integers.")
        if lengths.shape != (self.batch,):
            raise ValueError(f"sequence_lengths: has shape {lengths.shape}; {accepted}. Pass one for each sequence.")
        wrong = lengths[(lengths < 0) | (lengths > self.steps)]
        if wrong.size:
            raise ValueError(f"sequence_lengths: {wrong[0]} is out of range; {accepted}. Pass one for each sequence.")
        return lengths.astype(np.int64)

    def states(self, given: Any, name: str, accepted: str) -> tuple[NDArray[Any] | None, ...]:
        """Check states, each of which may be None, and give them the axis of the batch."""
        if given is None:
            return (None,) * self.cell.states
        if not isinstance(given, (tuple, list)):
            raise TypeError(f"{name}: got {type(given).__name__}; accepted is a tuple {accepted}. Pass one.")
        if len(given) != self.cell.states:
            raise ValueError(
                f"{name}: has {len(given)} entries; accepted is a tuple {accepted}. Pass {self.cell.states}."
            )
        count = self.layers * self.directions
        shape = (count, self.batch, self.hidden) if self.batched else (count, self.hidden)
        symbols = "(layers * directions, batch, hidden)" if self.batched else "(layers * directions, hidden)"
        result = []
        for i, state in enumerate(given):
            place = name if self.cell.states == 1 else f"{name}[{i}] ({'hc'[i]})"
            each = optional_array(state, place)
            _fit(each, place, shape, symbols, f"layers = {self.layers}, directions = {self.directions}")
            same_dtype(self.x.dtype, **{place: each})
            result.append(each if each is None or self.batched else each[:, None])
        return tuple(result)

    def run(
        self, initial: tuple[NDArray[Any] | None, ...], out: Array | None, kept: list[Any] | None = None
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...]]:
        """Run all layers; `kept` takes what back-propagation needs of each."""
        count = self.layers * self.directions
        final = tuple(np.empty((count, self.batch, self.hidden), self.x.dtype) for _ in range(self.cell.states))
        sequence = self.x
        for layer in range(self.layers):
            places = slice(layer * self.directions, (layer + 1) * self.directions)
            inputs = [sequence, *(None if state is None else state[places] for state in initial), self.lengths]
            for weights in self.weights[places]:
                inputs.extend(weights)
            shapes: list[Any] = [
                ((*self.x.shape[:-1], self.directions * self.hidden), out if layer + 1 == self.layers else None),
                *((state[places].shape, state[places]) for state in final),
            ]
            if kept is not None:
                shapes.append(((self.directions, self.steps, self.batch, 4, self.hidden), None))
                if self.cell.states == 2:
                    shapes.append(((self.directions, self.steps, self.batch, self.hidden), None))
            outputs = tuple((shape, self.x.dtype, given) for shape, given in shapes)
            packed = self.packed[layer] if self.packed else None
            numbers = (int(self.batch_first),)
            results = _binding.call_packed(self.cell.name, tuple(inputs), outputs, numbers, (), packed)
            if kept is not None:
                kept.append((sequence, results[0], *results[1 + self.cell.states :]))
            sequence = results[0]
        return sequence, final if self.batched else tuple(state[:, 0] for state in final)

    def gradients(
        self, grad: Array | None, final: tuple[NDArray[Any] | None, ...], initial: tuple[NDArray[Any] | None, ...]
    ) -> tuple[NDArray[Any], Any, tuple[NDArray[Any], ...]]:
        """Return the gradients of x, the weights and the initial states."""
        shape = (*self.x.shape[:-1], self.directions * self.hidden)
        given = optional_array(grad, "grad")
        _fit(given, "grad", shape, "the output's", f"hidden = {self.hidden} and directions = {self.directions}")
        same_dtype(self.x.dtype, grad=given)
        kept: list[Any] = []
        self.run(initial, None, kept)
        count = self.layers * self.directions
        grad_initial = tuple(np.empty((count, self.batch, self.hidden), self.x.dtype) for _ in range(self.cell.states))
        grad_weights: list[Any] = [None] * count
        upper = self._time_first(np.zeros(shape, self.x.dtype) if given is None else given)
        for layer in reversed(range(self.layers)):
            below, output, *values = kept.pop()
            below, output = self._time_first(below), self._time_first(output)
            grad_below = np.zeros(below.shape, self.x.dtype)
            for direction in range(self.directions):
                place = layer * self.directions + direction
                units = slice(direction * self.hidden, (direction + 1) * self.hidden)
                first = [None if state is None else state[place] for state in initial]
                behind = [None if state is None else state[place] for state in final]
                states = values[1][direction] if self.cell.states == 2 else output[..., units]
                grads, *_ = _binding.call(
                    f"{self.cell.name}_backward",
                    (
                        upper[..., units],
                        values[0][direction],
                        states,
                        self.weights[place][1],
                        first[-1],
                        self.lengths,
                        *behind,
                    ),
                    (
                        (values[0][direction].shape, self.x.dtype, None),
                        *((each[place].shape, self.x.dtype, each[place]) for each in grad_initial),
                    ),
                    (direction,),
                    (),
                )
                grad_weights[place], grad = self._products(place, grads, below, output[..., units], first[0])
                grad_below += grad
            upper = grad_below
        grad_x = upper.swapaxes(0, 1) if self.batch_first else upper
        if not self.batched:
            return grad_x[:, 0], self._as_given(grad_weights), tuple(each[:, 0] for each in grad_initial)
        return grad_x, self._as_given(grad_weights), grad_initial

    def _as_given(self, grad_weights: list[Any]) -> Any:
        return grad_weights[0] if self.single else grad_weights

    def _time_first(self, sequence: NDArray[Any]) -> NDArray[Any]:
        if not self.batched:
            return sequence[:, None]
        return sequence.swapaxes(0, 1) if self.batch_first else sequence

    def _products(
        self, place: int, grads: NDArray[Any], below: NDArray[Any], output: NDArray[Any], first: NDArray[Any] | None
    ) -> tuple[Weights, NDArray[Any]]:
        """Return the gradients of one direction's weights and of its input, from those of the gates' products."""
        rows, count = self.cell.gates * self.hidden, self.steps * self.batch
        w_ih, _, b_ih, b_hh = self.weights[place]
        of_h = grads
        if self.cell is _GRU:  # the slots are r, z, n of the input's product, n of the hidden state's
            of_h = np.concatenate((grads[:, :, :2], grads[:, :, 3:]), axis=2)
        of_x = grads[:, :, : self.cell.gates].reshape(count, rows)
        of_h = of_h.reshape(self.steps, self.batch, rows)
        # Behind a sequence's end the output is 0, which leaves these products right.
        late, early = (of_h[1:], output[:-1]) if place % self.directions == 0 else (of_h[:-1], output[1:])
        later = max(count - self.batch, 0)
        grad_w_hh = matmul(late.reshape(later, rows).T, early.reshape(later, self.hidden))
        if first is not None and self.steps:
            start: Any = 0
            if place % self.directions == 1:
                start = -1 if self.lengths is None else (np.maximum(self.lengths - 1, 0), np.arange(self.batch))
            grad_w_hh += matmul(of_h[start].T, first)
        grad = (
            matmul(of_x.T, below.reshape(count, below.shape[-1])),
            grad_w_hh,
            None if b_ih is None else sum(of_x, axis=0),
            None if b_hh is None else sum(of_h.reshape(count, rows), axis=0),
        )
        return grad, matmul(of_x, w_ih).reshape(below.shape)


def _fit(x: NDArray[Any] | None, name: str, shape: tuple[int, ...], symbols: str, where: str) -> None:
    """Refuse an array of another shape; None passes."""
    if x is not None and x.shape != shape:
        raise ValueError(
            f"{name}: has shape {x.shape}, and {symbols} = {shape} is needed, with {where}. Pass such an array."
        )
