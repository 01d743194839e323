"""Who would compute a call, and why: asked of the very code that decides it when the call is made."""

from __future__ import annotations

import ndkernels
from ndkernels import _binding
from ndkernels._packed import PackedWeights
from variantkit import loader
from variantkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy as np

__all__ = ["Explanation", "explain"]

_NO_OPERATORS = {"explain", "get_num_threads", "helpers", "prepack", "set_num_threads", "show_config"}


class Explanation(Record):
    """Who would compute a call.

    `implementation` is the name of a helper or of the classifier, or "several" for a function that makes calls of which
    not all go the same way; `helper` says which of the two, `version` is that of the helper or of the package.
    `operations` has for each call that could have gone to a helper its operation and who computes it.
    """

    op: str
    shapes: tuple[tuple[int, ...], ...]
    dtype: str
    implementation: str
    helper: bool
    version: str
    reason: str
    operations: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        arguments = " and ".join(map(str, self.shapes))
        who = f"{self.implementation} {self.version}" if self.helper else f"the kernel of {self.implementation}"
        if self.implementation == "several":
            who = "several"
        return f"{self.op} of {self.dtype} {arguments}: {who}\n  {self.reason}"


def explain(
    op: str, /, *shapes: tuple[int, ...] | PackedWeights, dtype: str = "float32", **options: Any
) -> Explanation:
    """Say which implementation a call with contiguous arrays would use, and why; no kernel computes.

    Parameters
    ----------
    op
        The name of a function of this package, such as 'matmul'.
    shapes
        The shapes of its arrays, in the order of its arguments; or what `prepack` made of weights. Memory for them is asked of the system, but no kernel
        touches it. A function that does a part of its work with NumPy does that part, with numbers that mean nothing.
    dtype
        The name of the one dtype that all of them have.
    options
        Further arguments of the function.

    Returns
    -------
    An object that prints as two lines, with the attributes op, shapes, dtype, implementation, helper, version, reason and
    operations.

    Raises
    ------
    TypeError
        for a shape that is no tuple of integers, a dtype that is no string, and what the function itself raises.
    ValueError
        for an unknown op or dtype, a negative extent, and what the function itself raises.
    ImportError
        for 'bfloat16' where ml_dtypes, which gives NumPy that dtype, is not installed.
    MemoryError
        for arrays that the system would not give memory for.

    Examples
    --------
    >>> print(explain("matmul", (2, 3), (3, 4), dtype="int8"))  # doctest: +ELLIPSIS
    matmul of int8 (2, 3) and (3, 4): the kernel of ...
      ...
    """
    function = _function(op)
    import numpy as np

    kind = _dtype(dtype)
    arrays: list[Any] = [each if isinstance(each, PackedWeights) else np.empty(_shape(each), kind) for each in shapes]

    def call() -> None:
        # The arrays have whatever was in memory, of which NumPy would warn.
        with np.errstate(all="ignore"):
            function(*arrays, **options)

    choices = _binding.explain(call)
    loaded = loader.load("ndkernels")
    operations = tuple((choice[0], choice[1] or loaded.classifier) for choice in choices)
    chosen = {helper: version for _, helper, version, *_ in choices} or {"": ""}
    # More than one only for functions that make several calls, such as linear_backward.
    helper = next(iter(chosen)) if len(chosen) == 1 else ""
    refused = "; ".join(dict.fromkeys(choice[3] for choice in choices if choice[3]))
    if len(chosen) > 1:
        calls = ", ".join(f"{operation} by {who}" for operation, who in dict.fromkeys(operations))
        implementation, reason = "several", f"{calls}: {refused}"
    elif helper:
        by = f"by a rule: {choices[0][6]}" if choices[0][6] else f"forced by {choices[0][5]}"
        implementation, reason = helper, "; ".join(filter(None, (by, refused)))
    else:
        implementation = loaded.classifier
        reason = refused or (_why_own(*choices[0][4:6]) if choices else f"no helper is asked for {op}")
    return Explanation(
        op=op,
        shapes=tuple(tuple(array.shape) for array in arrays),
        dtype=dtype,
        implementation=implementation,
        helper=bool(helper),
        version=chosen[helper] if helper else loaded.catalogue.version,
        reason=reason,
        operations=operations,
    )


def _function(op: str) -> Any:
    # Errors and warnings are not written small.
    known = [name for name in ndkernels.__all__ if name.islower() and name[0] != "_" and name not in _NO_OPERATORS]
    if op not in known:
        from difflib import get_close_matches

        near = get_close_matches(str(op), known, n=3)
        some = ", ".join(near or ("matmul", "linear", "conv2d"))
        raise ValueError(
            f"op: {op!r} is unknown; accepted are the functions of this package. Pass one, such as {some}."
        )
    return getattr(ndkernels, op)


def _why_own(mode: str, origin: str) -> str:
    by = f" by {origin}" if origin else ", the default"
    return (
        f"helpers are off{by}" if mode == "off" else f"helpers are auto{by}, and no measurement says that one is faster"
    )


def _dtype(name: str) -> np.dtype[Any]:
    import numpy as np

    advice = "accepted is a name such as 'float32'. Pass one."
    if not isinstance(name, str):
        raise TypeError(f"dtype: got {type(name).__name__}; {advice}")
    try:
        if name == "bfloat16":
            import ml_dtypes  # type: ignore[import-not-found, unused-ignore]  # noqa: F401 -- gives NumPy that name
        return np.dtype(name)
    except ImportError as error:
        from ndkernels._catalogue import CATALOGUE
        from variantkit.installer import command

        raise ImportError(
            f"dtype: got {name!r}, which NumPy has from ml_dtypes, and that is not installed. "
            f"Run: {command(CATALOGUE, requirement='ml_dtypes')}"
        ) from error
    except (TypeError, ValueError, SyntaxError) as error:  # NumPy parses some strings as Python
        raise ValueError(f"dtype: got {name!r}; {advice}") from error


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"shapes: got {type(shape).__name__}; accepted are tuples of integers. Pass one per array.")
    for extent in shape:
        if not hasattr(extent, "__index__"):
            raise TypeError(
                f"shapes: got an extent that is {type(extent).__name__}; accepted are tuples of integers. "
                "Pass one per array."
            )
        if extent < 0:
            raise ValueError(f"shapes: got the extent {extent}; accepted is 0 or more. Pass such a one.")
    return tuple(shape)
