"""Dropout, which is the same wherever and however it is computed."""

from __future__ import annotations

from ndkernels import _binding
from ndkernels._checks import array, flag, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["dropout", "dropout_backward"]


def dropout(x: Array, p: float = 0.5, /, *, seed: int, training: bool = True, out: Array | None = None) -> NDArray[Any]:
    """Replace elements by 0 with probability `p`, and divide the others by 1 - p (Srivastava et al., 2014).

    Which elements, follows from the seed and their places in C order alone, by the generator Philox4x32-10 (Salmon et al.,
    SC 2011): not from the classifier, the number of threads or the strides of `x`. Nothing is drawn from a generator of the
    process; pass another seed at each call.

    Parameters
    ----------
    x
        An array of float32 or float64 of any shape.
    p
        The probability of 0, in [0, 1].
    seed
        An integer from 0 to 2^63 - 1.
    training
        Where it is False, the result is a copy of `x`.
    out
        Where the result goes: a writable array of x's shape and dtype. It may share memory with `x`.

    Returns
    -------
    `out`, or a new NumPy array of x's shape and dtype.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, a `p` that is no number and a `seed` that is no integer.
    ValueError
        for a `p` or a `seed` that is out of range, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> dropout(np.ones(8), 0.5, seed=1)
    array([2., 2., 2., 2., 2., 2., 0., 2.])
    """
    x = array(x, "x")
    p = number(p, "p", least=0.0, most=1.0)
    if not flag(training, "training"):
        p = 0.0
    return _binding.call("dropout", (x,), ((x.shape, x.dtype, out),), (_seed(seed),), (p,))  # type: ignore[no-any-return]


def dropout_backward(grad_out: Array, p: float = 0.5, /, *, seed: int, training: bool = True) -> NDArray[Any]:
    """Return the gradient of x, from that of the result of `dropout(x, p, seed=seed)`.

    The same elements are 0, and the same factor is applied to the others: they are computed from the seed again.

    Raises
    ------
    TypeError, ValueError
        as `dropout`.
    """
    return dropout(array(grad_out, "grad_out"), p, seed=seed, training=training)


def _seed(value: Any) -> int:
    from operator import index

    try:
        seed = index(value)
    except TypeError:
        raise TypeError(f"seed: got {type(value).__name__}; accepted is an integer. Pass one.") from None
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed: {seed} is out of range; accepted are 0 to 2**63 - 1. Pass one of these.")
    return seed
