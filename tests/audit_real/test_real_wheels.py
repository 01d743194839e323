"""The audit of wheels of other projects, from PyPI: what is known to be wrong with them is found, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from variantkit.audit import AuditResult, audit


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the wheel of a release ("1.14.2" of faiss-cpu, "numpy==2.4.6"), as pip downloads it for Linux on x86-64."""
    found: dict[str, Path] = {}

    def download(version: str) -> Path:
        if version not in found:
            folder = tmp_path_factory.mktemp("wheel")
            requirement = version if "==" in version else f"faiss-cpu=={version}"
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            target = ["--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--dest", str(folder)]
            subprocess.run([*command, *target, requirement], check=True)
            (found[version],) = folder.glob("*.whl")
        return found[version]

    return download


@pytest.fixture(scope="session")
def audited(wheel: Callable[[str], Path]) -> Callable[[str], AuditResult]:
    """Give what a release needs; each is audited once."""
    found: dict[str, AuditResult] = {}

    def result(version: str) -> AuditResult:
        if version not in found:
            found[version] = audit([wheel(version)], matrix=None)
        return found[version]

    return result


def test_the_constructor_that_ended_every_import_is_named(audited: Callable[[str], AuditResult]) -> None:
    # https://github.com/facebookresearch/faiss/issues/5296
    result = audited("1.14.2")
    (need,) = [each for each in result.needs if each.level != "x86-64"]
    assert (need.member, need.level, need.feature, need.constructor) == ("faiss/libfaiss.so", "x86-64-v3", "avx2", True)
    # The wheel was stripped, so that its functions are called by where unwinding begins; this one is in .init_array.
    assert (need.symbol, need.address, need.instruction) == ("0x14ffc0", 0x14FFF4, "vpbroadcastq ymm0, xmm0")
    told = result.text()
    assert "needs at least x86-64-v3 while it is loaded, and up to x86-64-v4 in code that it may choose" in told
    assert "It needs x86-64-v3, because of 0x14ffc0 of faiss/libfaiss.so, which runs while it is loaded" in told
    assert result.unaudited == ()
    assert result.instructions > 10_000_000


def test_the_next_release_is_clean_there(audited: Callable[[str], AuditResult]) -> None:
    result = audited("1.15.1")
    assert {each.level for each in result.needs} == {"x86-64"}
    assert result.status == 0
    # Its code for better machines is still there, for it to choose.
    library = next(each for each in result.needs if each.member == "faiss/libfaiss.so")
    assert library.whole == "x86-64-v4"


@pytest.mark.parametrize(("version", "functions"), [("1.14.2", {"0x14ed7d", "0x14ffc0"}), ("1.15.1", set())])
def test_held_against_a_level_constructors_are_found_apart(
    wheel: Callable[[str], Path], version: str, functions: set[str]
) -> None:
    result = audit([wheel(version)], matrix=None, level="x86-64-v2", select=["VA102"])
    assert {each.symbol for each in result.findings} == functions
    assert all(each.constructor and each.member == "faiss/libfaiss.so" for each in result.findings)
    assert result.status == (1 if functions else 0)


def test_three_builds_in_one_wheel_need_what_their_names_say(audited: Callable[[str], AuditResult]) -> None:
    # The last release with a library for each level: the generic one had 1,724 TZCNT, and is clean.
    result = audited("1.13.2")
    levels = {each.member: each.whole for each in result.needs if each.member.startswith("faiss/")}
    assert levels == {
        "faiss/_swigfaiss.abi3.so": "x86-64",
        "faiss/_swigfaiss_avx2.abi3.so": "x86-64-v3",
        "faiss/_swigfaiss_avx512.abi3.so": "x86-64-v4",
    }


@pytest.mark.parametrize("version", ["1.13.2", "1.14.2", "1.15.1"])
def test_libraries_that_choose_are_not_taken_for_what_they_may_choose(
    audited: Callable[[str], AuditResult], version: str
) -> None:
    (blas,) = [each for each in audited(version).needs if "openblas" in each.member]
    assert (blas.level, blas.whole) == ("x86-64", "x86-64-v4")
    # Compilers put no data among their instructions, and OpenBLAS's assembly none that could be mistaken.
    assert not [each for each in audited(version).findings if each.rule == "VA106"]


def test_a_baseline_is_what_its_project_says(audited: Callable[[str], AuditResult]) -> None:
    # https://github.com/numpy/numpy/issues/31939: from 2.4 on, NumPy is compiled for x86-64-v2.
    levels = {each.member: each.level for each in audited("numpy==2.4.6").needs}
    assert set(levels.values()) == {"x86-64", "x86-64-v2"}
    (main,) = [each for each in audited("numpy==2.4.6").needs if "_multiarray_umath" in each.member]
    assert (main.level, main.whole) == ("x86-64-v2", "x86-64-v4")
    # These choose at run time, one by CPUID, the other by asking libgcc_s.
    assert {level for member, level in levels.items() if member.startswith("numpy.libs/")} == {"x86-64"}
