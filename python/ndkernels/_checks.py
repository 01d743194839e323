"""What the functions of layers ask of their arguments: each check raises an error that begins with the argument's name."""

from __future__ import annotations

import math
from operator import index

from ndkernels import _binding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = [
    "array",
    "axis_in",
    "choice",
    "flag",
    "integer",
    "integers",
    "number",
    "optional_array",
    "same_dtype",
    "same_shape",
]

array = _binding.array


def optional_array(x: Any, name: str, dtypes: int = _binding.FLOATS) -> NDArray[Any] | None:
    """Return an array, or None for None."""
    return None if x is None else array(x, name, dtypes)


def same_dtype(dtype: Any, **arrays: NDArray[Any] | None) -> None:
    """Refuse arrays of another dtype; None passes."""
    for name, each in arrays.items():
        if each is not None and each.dtype != dtype:
            raise TypeError(
                f"{name}: has dtype {each.dtype}, and {dtype} is needed: nothing is converted silently. Convert it first, "
                f"for example with numpy.asarray(..., dtype='{dtype}')."
            )


def same_shape(x: NDArray[Any], name: str, shape: tuple[int, ...], whose: str) -> None:
    """Refuse an array of another shape; `whose` says what has the right one."""
    if x.shape != shape:
        raise ValueError(f"{name}: has shape {x.shape}, and {shape} is needed, as {whose} has it. Reshape it first.")


def integer(value: Any, name: str, *, least: int = 0) -> int:
    """Return an integer that is at least `least`."""
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name}: got {type(value).__name__}; accepted is an integer. Pass one.") from None
    if number < least:
        raise ValueError(f"{name}: {number} is too small; accepted are integers from {least} on. Pass one of these.")
    if number > 2**31 - 1:
        raise ValueError(f"{name}: {number} is too large; accepted are integers up to {2**31 - 1}. Pass one of these.")
    return number


def integers(value: Any, count: int, name: str, *, least: int = 0) -> tuple[int, ...]:
    """Return `count` integers that are at least `least`; one alone stands for all of them."""
    if not isinstance(value, (tuple, list)):
        return (integer(value, name, least=least),) * count
    if len(value) != count:
        raise ValueError(f"{name}: has {len(value)} entries, and {count} are needed. Pass {count}, or one for all.")
    return tuple(integer(each, name, least=least) for each in value)


def number(value: Any, name: str, *, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a float in [least, most]; NaN is refused."""
    if not hasattr(value, "__float__") or getattr(value, "ndim", 0) != 0:
        raise TypeError(f"{name}: got {type(value).__name__}; accepted is a number. Pass one.")
    result = float(value)
    if not least <= result <= most:
        raise ValueError(f"{name}: {result} is out of range; accepted are {least} to {most}. Pass one of these.")
    return result


def flag(value: Any, name: str) -> bool:
    """Return True or False."""
    if value is True or value is False:
        return value
    if type(value).__name__ in {"bool", "bool_"}:  # NumPy's
        return bool(value)
    raise TypeError(f"{name}: got {type(value).__name__}; accepted are True and False. Pass one of these.")


def choice(value: Any, name: str, accepted: Sequence[str]) -> int:
    """Return the place of a word in `accepted`."""
    if isinstance(value, str) and value in accepted:
        return accepted.index(value)
    words = " and ".join(map(repr, accepted))
    kind = ValueError if isinstance(value, str) else TypeError
    raise kind(f"{name}: got {value!r}; accepted are {words}. Pass one of these.")


def axis_in(value: Any, ndim: int, name: str = "axis") -> int:
    """Return an axis of an array with `ndim` dimensions as a number from 0 on."""
    try:
        axis = index(value)
    except TypeError:
        raise TypeError(f"{name}: got {type(value).__name__}; accepted is an integer. Pass one.") from None
    if not -ndim <= axis < ndim:
        accepted = f"{-ndim} to {ndim - 1}" if ndim else "none, because it has no axis"
        raise ValueError(
            f"{name}: {axis} is out of range for an array of {ndim} dimensions; accepted are {accepted}. Pass another "
            "axis or another array."
        )
    return axis % ndim
