"""All classifiers that run here compute the same, within what docs/operators.md promises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ndkernels
from agreement import CASES, EACH, table
from ndkernels import _binding
from variantkit import loader

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def libraries() -> Iterator[dict[str, _binding.Library]]:
    loaded = loader.load("ndkernels")
    paths = {item.classifier: item.path for item in loaded.installed if item.classifier in loaded.decision.runnable}
    assert paths
    yield {name: _binding.open_library(path) for name, path in paths.items()}
    _binding.use(loaded.library)


def parts(result: Any) -> list[np.ndarray]:
    return (
        [each for item in result for each in parts(item)] if isinstance(result, (tuple, list)) else [np.asarray(result)]
    )


@pytest.mark.parametrize("name", CASES)
def test_the_classifiers_agree(name: str, libraries: dict[str, _binding.Library]) -> None:
    case = CASES[name]
    results = {}
    for classifier, library in libraries.items():
        _binding.use(library)
        results[classifier] = parts(case.run())
    first, *others = results
    for other in others:
        for a, b in zip(results[first], results[other], strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            if case.tolerance == 0:
                np.testing.assert_array_equal(a, b, err_msg=f"{first} and {other}")
                continue
            magnitude = (
                np.maximum(np.abs(a), np.abs(b)) if case.relative_to == EACH else max(np.abs(a).max(), np.abs(b).max())
            )
            eps = np.abs(a - b) / np.maximum(magnitude, np.finfo(a.dtype).tiny) / np.finfo(a.dtype).eps
            assert eps.max() <= case.tolerance, f"{first} and {other} differ by {eps.max():.1f} eps"


def test_every_function_has_a_case() -> None:
    # Those that are the backward half of one that has a case, or the same code with another number of axes, may be without.
    functions = {name for name in ndkernels.__all__ if callable(getattr(ndkernels, name)) and name.islower()}
    administrative = {"explain", "get_num_threads", "helpers", "set_num_threads", "show_config"}
    missing = functions - administrative - set(CASES)
    assert {name for name in missing if not name.endswith("_backward") and name[-2:] not in {"1d", "2d", "3d"}} == set()


def test_the_documentation_shows_the_tolerances() -> None:
    text = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    assert table() in text, "put the output of `python tests/agreement.py` into docs/operators.md"
