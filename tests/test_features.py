from __future__ import annotations

from itertools import pairwise

import pytest

from hosts import ROOT, tomllib
from variantkit.features import AARCH64, BASELINE, IMPLIES, KNOWN, LEVELS, X86, consistent


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_complete(level: str) -> None:
    assert consistent(LEVELS[level]) == LEVELS[level]


def test_levels_grow() -> None:
    levels = [features for level, features in LEVELS.items() if level.startswith("x86")]
    assert all(low < high for low, high in pairwise(levels))
    assert [len(level) for level in levels] == [7, 14, 23, 28]


def test_the_matrix_of_this_repository_has_the_sets_of_its_levels() -> None:
    rows = tomllib.loads((ROOT / "classifiers.toml").read_text(encoding="utf-8"))["classifier"]
    assert {row["name"]: frozenset(row["features"]) for row in rows} == {
        row["name"]: LEVELS[row["level"]] for row in rows
    }


def test_every_name_is_known() -> None:
    assert {name for feature, implied in IMPLIES.items() for name in (feature, *implied)} <= KNOWN
    assert KNOWN == X86 | AARCH64
    assert frozenset().union(*BASELINE.values()) <= KNOWN


def test_implications_have_no_circle() -> None:
    for start in IMPLIES:
        seen, todo = set(), [start]
        while todo:
            for implied in IMPLIES.get(todo.pop(), ()):
                assert implied != start
                if implied not in seen:
                    seen.add(implied)
                    todo.append(implied)


def test_aws_c_common_858_avx2_bit_without_avx_bit() -> None:
    features = LEVELS["x86-64-v4"] - {"avx"}
    assert consistent(features) == LEVELS["x86-64-v2"] | {"abm", "bmi1", "bmi2", "movbe", "xsave"}


def test_avx512_bits_without_avx512f() -> None:
    kept = consistent(LEVELS["x86-64-v4"] - {"avx512f"} | {"avx512_vbmi2", "avx512_fp16"})
    assert kept == LEVELS["x86-64-v3"]


def test_consistent_keeps_names_it_does_not_know() -> None:
    assert consistent({"fpu", "constant_tsc"}) == {"fpu", "constant_tsc"}
