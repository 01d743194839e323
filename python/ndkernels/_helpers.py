"""Which other libraries compute in place of the own kernels: what the environment and the program ask for."""

from __future__ import annotations

import os

from ndkernels import _binding
from ndkernels._catalogue import CATALOGUE
from variantkit.environment import text
from variantkit.errors import SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = ["MODES", "HelpersInForce", "apply_environment", "helpers", "wanted_by_environment"]

_VARIABLES = {variable.name: variable for variable in CATALOGUE.variables}
HELPERS_VARIABLE, BLAS_VARIABLE = _VARIABLES["NDKERNELS_HELPERS"], _VARIABLES["NDKERNELS_BLAS"]
MODES = ("off", "auto")
_BLAS_NAMES = tuple(value for value in BLAS_VARIABLE.values if value != "own")
_NAMES = tuple(value for value in HELPERS_VARIABLE.values if value not in MODES)


class HelpersInForce:
    """What `helpers` returns; as a context manager it puts back in force what was before."""

    def __init__(self, names: tuple[str, ...], before: tuple[list[str], str]) -> None:
        self.names = names
        self._before = before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _binding.set_helpers(*self._before)

    def __repr__(self) -> str:
        return f"helpers({', '.join(map(repr, self.names))})"


def helpers(*names: str) -> HelpersInForce:
    """Say which other libraries compute what they can in place of the own kernels, in the whole process and at once.

    Parameters
    ----------
    names
        'off' for none; 'auto', the default, for those that committed measurements say are faster;
        or names of libraries, 'onednn', 'openblas' and 'mkl', which are asked in this order. What none of them takes is computed
        by the own kernels: `explain` says who computes a call, and docs/helpers.md what each of them takes.

    Returns
    -------
    An object that can be left alone, or be used in a `with` statement, at whose end that is in force again what was
    before this call. It is one setting for all threads.

    Raises
    ------
    TypeError
        for a name that is no string.
    ValueError
        for no name, an unknown one, the same twice, and 'off' or 'auto' together with another.
    HelperNotInstalledError
        for a library that is not installed, and for 'onednn' where the loaded classifier has no code for it; the message has
        the command.
    HelperVersionError
        for one that is installed in a version that is not known to work.
    HelperError
        for one that is damaged or cannot be opened. Nothing is changed then.

    Examples
    --------
    >>> import numpy as np
    >>> from ndkernels import matmul
    >>> with helpers("off"):
    ...     matmul(np.float32([[1, 2]]), np.float32([[3], [4]]))
    array([[11.]], dtype=float32)
    """
    accepted = " and ".join(map(repr, (*MODES, *_NAMES)))
    if not names:
        raise ValueError(f"names: there is none; accepted are {accepted}. Pass one of these.")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"names: got {type(name).__name__}; accepted are {accepted}. Pass one of these.")
        if name not in HELPERS_VARIABLE.values:
            raise ValueError(f"names: got {name!r}; accepted are {accepted}. Pass one of these.")
        if name in MODES and len(names) > 1:
            raise ValueError(f"names: got {name!r} and another one; it stands alone. Pass it alone, or leave it away.")
        if names.count(name) > 1:
            raise ValueError(f"names: got {name!r} more than once; each is asked once. Pass it once.")
    return _put_in_force(names, f"helpers({', '.join(map(repr, names))})")


def wanted_by_environment(environ: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Return the names that the two variables ask for, and the variable that decided; empty where neither is set.

    Raises SettingError for a value that is not allowed, and for two that contradict each other.
    """
    asked = text(HELPERS_VARIABLE, "", environ) if environ.get(HELPERS_VARIABLE.name, "").strip() else ""
    blas = text(BLAS_VARIABLE, "", environ)
    if asked and blas and asked not in ("auto", blas) and (blas in _BLAS_NAMES or asked in _BLAS_NAMES):
        if asked == "off":
            advice = f"set {BLAS_VARIABLE.name}=own"
        elif blas == "own":
            advice = f"set {HELPERS_VARIABLE.name}=off"
        else:
            advice = "set them to the same"
        raise SettingError(
            f"{HELPERS_VARIABLE.name}={asked!r} and {BLAS_VARIABLE.name}={blas!r} contradict each other; "
            f"{advice}, or unset one of the two"
        )
    if blas in _BLAS_NAMES:
        return (blas,), BLAS_VARIABLE.name
    if blas:  # matrix products by the own kernels, whatever a rule says
        return ("off",), f"{BLAS_VARIABLE.name}={blas}"
    return ((asked,), HELPERS_VARIABLE.name) if asked else ((), "")


def apply_environment() -> None:
    """Put in force what the environment asks for; raises as `wanted_by_environment` and `helpers` do."""
    names, variable = wanted_by_environment(os.environ)
    if names:
        _put_in_force(names, variable)
    else:
        _apply_rules()


_rules_are_set = False


def _apply_rules() -> None:
    """Tell the binding which helpers measurements say are faster, once; what cannot be opened is told in one line."""
    global _rules_are_set  # noqa: PLW0603
    if _rules_are_set:
        return
    _rules_are_set = True
    name = _binding.compiled_helper()
    from variantkit import loader

    features = loader.load("ndkernels").host.features
    rules = [rule for rule in CATALOGUE.rules if rule.helper == name and rule.features <= features]
    if not rules:
        return
    from ndkernels._libraries import open_library
    from variantkit.errors import HelperError

    try:
        open_library(name)
    except HelperError as error:
        from logging import getLogger

        getLogger("ndkernels").warning("The own kernels compute everything: %s", error)
        return
    _binding.set_rules(
        [
            (
                rule.operator, name, sum(_binding.DTYPES[dtype] for dtype in rule.dtypes), rule.min_work,
                rule.max_work, f"measured on {rule.date}, {rule.evidence}",
            )
            for rule in rules
        ]
    )  # fmt: skip


def _put_in_force(names: tuple[str, ...], origin: str) -> HelpersInForce:
    for name in names:
        if name in _NAMES:
            from ndkernels._libraries import open_library

            open_library(name)
    if "auto" in names:
        _apply_rules()
    before = _binding.get_helpers()
    _binding.set_helpers(list(names), origin)
    return HelpersInForce(names, before)
