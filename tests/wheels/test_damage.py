"""Installed files that are damaged in the ways that happen: the next best is loaded, and the warning says why."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from environments import Environment
from machines import VARIANT_OF, level_here

pytestmark = pytest.mark.wheels

BEST = VARIANT_OF[level_here()]
"""The best classifier that runs here; these tests need a CPU with AVX2."""
OTHER = next(name for name in VARIANT_OF.values() if name != BEST)

SHOW = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import ndkernels
print(json.dumps({"classifier": ndkernels.show_config(mode="dicts")["classifier"],
                  "warnings": [[w.category.__name__, str(w.message)] for w in caught]}))
"""


@pytest.fixture
def best(environment_of_all: Environment) -> tuple[Environment, Path]:
    """An environment in which the best classifier for this machine is the only one beside the base, and the path of its library, a copy that may be written to."""
    environment_of_all.pip("uninstall", "--yes", f"ndkernels-{OTHER}")
    library = environment_of_all.site_packages / f"ndkernels_{BEST}" / f"libndkernels_{BEST}.so"
    unlink_and_write(library, library.read_bytes())
    assert environment_of_all.json(SHOW, NDKERNELS_WARN="0")["classifier"] == BEST, "these tests need a CPU with AVX2"
    return environment_of_all, library


def unlink_and_write(path: Path, content: bytes) -> None:
    """Replace a file without writing through its hard links."""
    path.unlink()
    path.write_bytes(content)


def describe(library: Path) -> None:
    """Make the MANIFEST say the size of the library as it is now."""
    manifest = library.parent / "MANIFEST"
    lines = manifest.read_text().splitlines()
    lines = [f"Size: {library.stat().st_size}" if line.startswith("Size:") else line for line in lines]
    unlink_and_write(manifest, ("\n".join(lines) + "\n").encode())


def assert_falls_back(environment: Environment, *words: str) -> None:
    found = environment.json(SHOW, NDKERNELS_WARN="0")
    assert found["classifier"] == "generic"
    ((category, message),) = found["warnings"]
    assert category == "ClassifierFallbackWarning"
    assert "generic is loaded instead" in message
    assert f"-m pip install --force-reinstall --no-deps ndkernels-{BEST}==" in message
    for word in words:
        assert word in message
    # The report promises what the import keeps.
    report = environment.run("-m", "variantkit", "detect", check=False)
    assert report.returncode == 10
    assert "loaded       generic from" in report.stdout
    assert re.search(rf"^{BEST} +yes +(damaged|0\.0\.9) ", report.stdout, re.MULTILINE)
    assert f"-m pip install --force-reinstall --no-deps ndkernels-{BEST}==" in report.stdout


@pytest.mark.parametrize("kept", [0, 20, 0.5, 0.99])
def test_a_truncated_library(best: tuple[Environment, Path], kept: float) -> None:
    environment, library = best
    content = library.read_bytes()
    unlink_and_write(library, content[: int(kept if kept > 1 else kept * len(content))])
    assert_falls_back(environment, "bytes")


@pytest.mark.parametrize("kept", [20, 0.5])
def test_a_truncated_library_whose_manifest_was_made_to_fit(best: tuple[Environment, Path], kept: float) -> None:
    # dlopen maps what the headers promise; touching what lies past the end of the file is a SIGBUS, not an error.
    environment, library = best
    content = library.read_bytes()
    unlink_and_write(library, content[: int(kept if kept > 1 else kept * len(content))])
    describe(library)
    assert_falls_back(environment)


def test_a_library_of_a_foreign_architecture(best: tuple[Environment, Path]) -> None:
    environment, library = best
    content = bytearray(library.read_bytes())
    content[18:20] = (183).to_bytes(2, "little")  # e_machine: EM_AARCH64
    unlink_and_write(library, bytes(content))
    assert_falls_back(environment, f"libndkernels_{BEST}.so")


def test_a_library_of_another_abi_version(best: tuple[Environment, Path], compiler: str, tmp_path: Path) -> None:
    environment, library = best
    source = tmp_path / "newer.c"
    source.write_text(
        "int ndkernels_open(unsigned major, const void *host, const void **table) { return major == 99 ? 0 : 4; }\n"
    )
    newer = tmp_path / "newer.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(newer), str(source)], check=True)
    unlink_and_write(library, newer.read_bytes())
    describe(library)
    assert_falls_back(environment, "ABI")


def test_a_library_that_is_none_of_ours(best: tuple[Environment, Path], compiler: str, tmp_path: Path) -> None:
    environment, library = best
    (tmp_path / "other.c").write_text("int other(void) { return 1; }\n")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(tmp_path / "other.so"), str(tmp_path / "other.c")], check=True
    )
    unlink_and_write(library, (tmp_path / "other.so").read_bytes())
    describe(library)
    assert_falls_back(environment, "ndkernels_open")


def test_a_classifier_wheel_of_another_version_is_refused_with_the_command_that_mends_it(
    best: tuple[Environment, Path],
) -> None:
    environment, library = best
    manifest = library.parent / "MANIFEST"
    text = manifest.read_text()
    version = text.partition("Version: ")[2]
    assert version
    lines = ["Version: 0.0.9" if line.startswith("Version:") else line for line in text.splitlines()]
    unlink_and_write(manifest, ("\n".join(lines) + "\n").encode())
    assert_falls_back(environment, "0.0.9")
    result = environment.script("import ndkernels", check=False, NDKERNELS_CLASSIFIER=BEST)
    assert result.returncode == 1
    assert "VersionMismatchError" in result.stderr
    assert f"-m pip install --force-reinstall --no-deps ndkernels-{BEST}==" in result.stderr


def test_a_damaged_manifest(best: tuple[Environment, Path]) -> None:
    environment, library = best
    unlink_and_write(library.parent / "MANIFEST", b"\x00\xff nothing")
    assert_falls_back(environment, "MANIFEST")


def test_a_missing_library(best: tuple[Environment, Path]) -> None:
    environment, library = best
    library.unlink()
    assert_falls_back(environment)


def test_nothing_left_to_load_names_the_cause_and_the_cure(best: tuple[Environment, Path]) -> None:
    environment, library = best
    library.unlink()
    shutil.rmtree(environment.site_packages / "ndkernels" / "classifiers")
    result = environment.script("import ndkernels", check=False)
    assert result.returncode == 1
    assert "NoUsableClassifierError" in result.stderr
    assert "reinstall it with:" in result.stderr
    report = environment.run("-m", "variantkit", "detect", check=False)
    assert report.returncode == 10
    assert "loaded       nothing" in report.stdout
