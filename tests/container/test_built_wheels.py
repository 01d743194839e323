"""The wheels that cibuildwheel has built, in a container of this machine's own making."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from containers import Built, build_command
from environments import Environment, uv

SHOW = """
import json, warnings
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import ndkernels as nk
a, b = np.arange(12, dtype="f4").reshape(3, 4), np.ones((4, 5), "f4")
assert (nk.matmul(a, b) == a @ b).all()
config = nk.show_config("dicts")
print(json.dumps({"classifier": config["classifier"], "path": config["path"], "warnings": len(caught)}))
"""

GNU_PROPERTY_X86_ISA_1_NEEDED = 0xC0008002
X86_64_V3 = 1 << 2


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def library(wheel: Path, classifier: str) -> tuple[bytes, dict[str, str]]:
    """Return a kernel library and its MANIFEST."""
    files = members(wheel)
    (path,) = [name for name in files if name.endswith(f"/libndkernels_{classifier}.so")]
    text = files[f"{path.rpartition('/')[0]}/MANIFEST"].decode()
    return files[path], dict(line.split(": ", 1) for line in text.splitlines())


def isa_needed(content: bytes) -> int:
    """Return the levels that the library's note says it needs, as bits, 0 where it says none."""
    needed = 0
    section = ELFFile(io.BytesIO(content)).get_section_by_name(".note.gnu.property")
    for note in section.iter_notes() if section else []:
        for each in note.n_desc:
            if each.pr_type in (GNU_PROPERTY_X86_ISA_1_NEEDED, "GNU_PROPERTY_X86_ISA_1_NEEDED"):
                needed |= each.pr_data
    return needed


def test_each_classifier_is_built_once_and_the_base_once_per_abi(built: Built) -> None:
    kernels = [line for line in built.said.splitlines() if "kernels for" in line]
    assert len(kernels) == 2
    assert not any("unchanged" in line for line in kernels)
    assert sum("base wheel for" in line for line in built.said.splitlines()) == 2
    tags = {name: {(tag.interpreter, tag.abi) for tag in parse_wheel_filename(path.name)[3]}
            for name, path in built.wheels.items()}  # fmt: skip
    old = built.abis[0]
    assert tags == {
        "variantkit py3": {("py3", "none")},
        "ndkernels_avx2 py3": {("py3", "none")},
        f"ndkernels {old}": {(old, old)},
        "ndkernels cp312": {("cp312", "abi3")},
    }


def test_they_are_repaired(built: Built) -> None:
    for wheel in (built.avx2, *built.base):
        platforms = [tag.platform for tag in parse_wheel_filename(wheel.name)[3]]
        assert all(platform.startswith("manylinux") and platform.endswith("_x86_64") for platform in platforms), wheel


@pytest.mark.parametrize("options", [[], ["--disable-isa-ext-check"]])
def test_auditwheel_agrees(built: Built, options: list[str]) -> None:
    def show(wheel: Path) -> str:
        command = [sys.executable, "-m", "auditwheel", "show", *options, str(wheel)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return " ".join(shown.split())

    for wheel in built.base:
        assert 'following platform tag: "manylinux_' in show(wheel)
    # Without the option, which a marked library needs, auditwheel takes it for a mistake.
    assert ('following platform tag: "manylinux_' in show(built.avx2)) is bool(options)
    assert ("unsupported ISA extensions" in show(built.avx2)) is not bool(options)


def test_the_marked_library_is_still_marked_and_the_base_is_not(built: Built) -> None:
    assert isa_needed(library(built.avx2, "avx2")[0]) & X86_64_V3
    assert [isa_needed(library(wheel, "generic")[0]) & ~1 for wheel in built.base] == [0, 0]


def test_the_base_wheels_hold_one_library_that_was_compiled_once(built: Built) -> None:
    libraries = {library(wheel, "generic")[0] for wheel in built.base}
    assert len(libraries) == 1


def test_each_manifest_is_true_after_the_repair(built: Built) -> None:
    for wheel, classifier in [(built.avx2, "avx2"), *((wheel, "generic") for wheel in built.base)]:
        content, manifest = library(wheel, classifier)
        assert manifest["Classifier"] == classifier
        assert (manifest["Size"], manifest["SHA256"]) == (str(len(content)), hashlib.sha256(content).hexdigest())


def test_no_file_is_in_two_wheels_that_are_installed_together(built: Built) -> None:
    together = [built.wheels["variantkit py3"], built.avx2, built.base[0]]
    names = [name for wheel in together for name in members(wheel)]
    assert len(names) == len(set(names))


def test_installed_with_pip_the_right_library_is_loaded(built: Built, fresh_environment: Environment) -> None:
    wheelhouse = built.avx2.parent
    fresh_environment.pip("install", "--no-index", "--find-links", str(wheelhouse), "ndkernels")
    first = fresh_environment.json(SHOW, NDKERNELS_WARN="0")
    assert first["classifier"] == "generic"
    fresh_environment.pip("install", "--no-index", "--find-links", str(wheelhouse), "ndkernels[avx2]")
    runs = "avx2" in Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    best = fresh_environment.json(SHOW, NDKERNELS_WARN="0")
    assert best["classifier"] == ("avx2" if runs else "generic")
    assert str(fresh_environment.folder) in best["path"]


def test_the_wheel_of_the_stable_abi_runs_on_a_python_of_this_machine(built: Built, tmp_path: Path) -> None:
    from variantkit.interpreters import find_interpreters

    fits = [each for each in find_interpreters() if each.version >= (3, 12) and not each.free_threaded]
    assert fits, "there is no Python 3.12 or later here to try the wheel on; install one"
    newest = fits[-1]
    command = [uv(), "venv", "--quiet", "--seed", "--python", str(newest.executable), str(tmp_path / "env")]
    subprocess.run(command, check=True)
    environment = Environment(tmp_path / "env")
    environment.uv_install("numpy", "py-cpuinfo")
    environment.uv_install("--no-index", "--find-links", str(built.avx2.parent), "ndkernels")
    assert environment.json(SHOW, NDKERNELS_WARN="0")["classifier"] == "generic"


def test_the_tags_say_no_more_than_this_machine_can_run(built: Built) -> None:
    # The image's Debian is the machine's own, so that what is built in it has to be installable here.
    here = {tag.platform for tag in sys_tags()}
    for wheel in (built.avx2, *built.base):
        assert here & {tag.platform for tag in parse_wheel_filename(wheel.name)[3]}, wheel


def test_a_second_run_builds_nothing(built: Built, root: Path, container: dict[str, str], arguments: list[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.wheels.values()}
    logs = {path: path.stat().st_mtime_ns for path in (root / "build" / "logs").glob("container-*.log")}
    assert len(logs) >= 5  # the sdist, two libraries, two base wheels
    # Without an image: nothing is asked of it.
    again = subprocess.run(
        build_command(*arguments), cwd=root, env=container, capture_output=True, text=True, check=True
    )
    assert [line.endswith("  unchanged") for line in again.stderr.splitlines()] == [True] * 5
    assert {path: path.stat().st_mtime_ns for path in built.wheels.values()} == before
    assert {path: path.stat().st_mtime_ns for path in (root / "build" / "logs").glob("container-*.log")} == logs
