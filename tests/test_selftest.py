"""The self-test of ndkernels' libraries: it passes on the installed one, and it notices what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import ndkernels
from ndkernels import _binding
from ndkernels._selftest import self_test
from ndkernels._selftest_operators import CHECKS
from variantkit import loader

LIBRARY = loader.load("ndkernels").library
FUNCTIONS = ("add", "divide", "exp", "matmul", "maximum", "multiply", "relu", "subtract", "sum")


def failed() -> dict[str, str]:
    """Run the self-test and return what is wrong, by check."""
    found = {name: check() for name, check in self_test(LIBRARY).checks}
    return {name: problem for name, problem in found.items() if problem}


def test_it_passes() -> None:
    assert failed() == {}
    assert self_test(LIBRARY).threads == ndkernels.get_num_threads()


def test_it_has_a_check_of_each_function_for_each_dtype() -> None:
    names = {name for name, _ in self_test(LIBRARY).checks}
    assert {f"{name} {dtype}" for name in (*FUNCTIONS, "copy") for dtype in ("float32", "float64")} <= names


def test_every_operator_of_the_library_has_a_check() -> None:
    checked = {name for names in CHECKS for name in names}
    probes = {name for name in _binding.operators() if name.startswith("probe_")}
    assert checked >= set(_binding.operators()) - probes


def changed_last(result: Any) -> None:
    """Make the last element wrong, as a mistake in the tail of a loop does."""
    if result.size:
        result[(-1,) * result.ndim] += 1e-3


def changed_by_a_thread(result: Any) -> None:
    if result.size > 2**18:  # what the last of several threads would do
        result[-result.size // 3] = 77.0


def lost_nan(result: Any) -> None:
    if result.ndim:
        result[result != result] = 1.0  # noqa: PLR0124 -- true for NaN only
    elif math.isnan(result):
        result[()] = 1.0


FAULTS = [
    *((name, fault) for name in FUNCTIONS for fault in (changed_last, lost_nan)),
    # The results of the others are small.
    *((name, changed_by_a_thread) for name in FUNCTIONS if name not in {"sum", "matmul"}),
]


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_it_notices_what_is_wrong(name: str, fault: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    original = getattr(ndkernels, name)

    def faulty(*arguments: Any, **options: Any) -> Any:
        result = original(*arguments, **options)
        fault(result)
        return result

    monkeypatch.setattr(ndkernels, name, faulty)
    found = failed()
    expected = {f"{name} float32", f"{name} float64"}
    assert expected <= found.keys()
    # The copying of the binding is tested with `add`.
    assert {each.partition(" ")[0] for each in found} <= {name, "copy"}
    assert all("was expected" in problem for problem in found.values())
