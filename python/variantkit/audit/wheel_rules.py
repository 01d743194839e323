"""Rules on wheels as a whole: what their tags promise of the native files in them, sizes, and files of two wheels."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from variantkit.audit.rules import Problem, problem, rule
from variantkit.check.library_rules import over_budget
from variantkit.errors import UncheckedError, WheelError
from variantkit.platforms import systems

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from variantkit.audit.model import Audited, Package
    from variantkit.matrix import Matrix, Row

__all__: list[str] = []

_SYSTEMS = {"ELF": "linux", "PE": "windows", "Mach-O": "macos"}
_MACHINES = {"arm64": "aarch64", "x86": "i386", "amd64": "x86_64", "i686": "i386"}
_TIMEOUT = 600


def _need(module: str, why: str) -> None:
    if importlib.util.find_spec(module) is None:
        msg = f"{module} is not installed, and {why}. Install it: python -m pip install 'variantkit[release]'"
        raise UncheckedError(msg)


@rule(
    "VA301 manylinux-level",
    what="A wheel with a manylinux or musllinux tag needs no newer symbols and no other libraries than that one allows, as "
    "auditwheel reads them.",
    why="The tag is what pip chooses by: on a system that is older than it should be, the import fails.",
    mend="Repair the wheel again with `variantkit repair`, or build it on an older system.",
    needs="tool",
)
def _check_manylinux(audited: Audited) -> Iterator[Problem]:
    for package in audited.packages:
        if package.name is None or not package.images:
            continue
        claimed = [tag for tag in package.name.platform.split(".") if tag.startswith(("manylinux", "musllinux"))]
        if not claimed:
            continue
        _need("auditwheel", "the manylinux level of a wheel is read by it")
        yield from _policy(package, claimed)


def _policy(package: Package, claimed: list[str]) -> Iterator[Problem]:
    from auditwheel.error import AuditwheelError  # type: ignore[import-untyped] # it has no types
    from auditwheel.wheel_abi import analyze_wheel_abi  # type: ignore[import-untyped] # it has no types
    from auditwheel.wheeltools import get_wheel_architecture, get_wheel_libc  # type: ignore[import-untyped] # it has no types

    # It reads the tags from the name, and does not know labels.
    plain = package.path.name
    if package.name is not None and package.name.label:
        plain = dataclasses.replace(package.name, label="").filename
    try:
        found = analyze_wheel_abi(
            get_wheel_libc(plain), get_wheel_architecture(plain), package.path, frozenset(),
            # Whether a level above the baseline is meant is held against the row, in VA203 and VA101.
            disable_isa_ext_check=True, allow_graft=False,
        )  # fmt: skip
    except (AuditwheelError, OSError, ValueError, LookupError) as error:
        msg = f"{package.path.name}: auditwheel fails: {error}. Repair the wheel again."
        raise UncheckedError(msg) from error
    policies = {each: policy for policy in found.policies for each in (policy.name, *policy.aliases)}
    for tag in claimed:
        if tag not in policies:
            msg = f"{package.path.name}: auditwheel does not know {tag}. Bring it up to date: pip install --upgrade auditwheel"
            raise UncheckedError(msg)
        if found.overall_policy < policies[tag]:
            why = _reasons(found.versioned_symbols)
            yield Problem(package.path, "", f"it is tagged {tag}, and fits {found.overall_policy.name}{why}")


def _reasons(versioned: dict[str, set[str]]) -> str:
    newest = [f"{library} {max(versions, key=_version)}" for library, versions in sorted(versioned.items()) if versions]
    return f" (it needs {', '.join(newest)})" if newest else ""


def _version(text: str) -> list[int]:
    return [int(part) for part in text.rpartition("_")[2].split(".") if part.isdigit()]


@rule(
    "VA302 stable-abi",
    what="The extension modules of a wheel that is tagged abi3 use the stable ABI only, and none newer than its tag, as "
    "abi3audit reads them.",
    why="Such a wheel is installed on Pythons that came later, and earlier ones that do not have what it uses.",
    mend="Build it with Py_LIMITED_API at the version of its tag, and do not use what is not in it.",
    needs="tool",
)
def _check_stable_abi(audited: Audited) -> Iterator[Problem]:
    for package in audited.packages:
        if package.name is not None and package.images and "abi3" in package.name.abi.split("."):
            _need("abi3audit", "the stable ABI is checked by it")
            yield from _abi3(package)


def _abi3(package: Package) -> Iterator[Problem]:
    import shutil
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="variantkit-audit-") as folder:
        # It knows no labels, and reads the version from the name.
        plain = Path(folder) / (
            dataclasses.replace(package.name, label="").filename if package.name is not None else package.path.name
        )
        shutil.copyfile(package.path, plain)
        command = [sys.executable, "-m", "abi3audit", "--strict", "--report", str(plain)]
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "10000", "PYTHONIOENCODING": "utf-8"}
        try:
            done = subprocess.run(
                command, env=environment, check=False, capture_output=True, text=True, encoding="utf-8",
                errors="replace", stdin=subprocess.DEVNULL, timeout=_TIMEOUT,
            )  # fmt: skip
            report: dict[str, Any] = json.loads(done.stdout)
        except (OSError, subprocess.SubprocessError) as error:
            msg = f"{package.path.name}: abi3audit cannot be run: {error}. Try again, or install it anew."
            raise UncheckedError(msg) from error
        except ValueError as error:
            last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
            msg = f"{package.path.name}: abi3audit fails: {last}. Build the wheel again."
            raise UncheckedError(msg) from error
    yield from _violations(package.path, report)


def _violations(path: Path, report: dict[str, Any]) -> Iterator[Problem]:
    for spec in report.get("specs", {}).values():
        for module in spec.get("wheel", []):
            result = module.get("result", {})
            names = result.get("non_abi3_symbols", [])
            if not result.get("is_abi3", False):
                listed = ", ".join(names[:5])
                yield Problem(path, module.get("name", ""), f"it uses what is not in the stable ABI: {listed}")
            elif not result.get("is_abi3_baseline_compatible", True):
                newer = ", ".join(list(result.get("future_abi3_objects", {}))[:5])
                what = f"it uses the stable ABI of {result.get('computed')}, and is tagged {result.get('baseline')}"
                yield Problem(path, module.get("name", ""), f"{what}: {newer}" if newer else what)


@rule(
    "VA303 size-budget",
    what="No wheel is larger than `size-budget-kib` of its row; one with a label has the budgets of the base and its row.",
    why="Indexes limit sizes, and each user downloads it.",
    mend="Make it smaller, or raise size-budget-kib of the row and say why.",
    needs="matrix",
)
def _check_size(audited: Audited) -> Iterator[Problem]:
    for package in audited.packages:
        rows = _rows(package, audited.matrix)
        if rows and (what := over_budget(package.path.stat().st_size, rows)):
            yield Problem(package.path, "", what)


def _rows(package: Package, matrix: Matrix | None) -> list[Row]:
    """Return the rows whose budgets a wheel has."""
    if package.name is None or package.row is None or matrix is None:
        return []
    return [package.row, *(row for row in matrix.rows if row.label == package.name.label and row != package.row)]


@rule(
    "VA304 machine-of-the-tag",
    what="The native files of a wheel are for a system and machine that its platform tag names; one for `any` has none.",
    why="Such a file is never loaded, or fails where it is.",
    mend="Leave it out, or build the wheel for its platform.",
    level="warning",
)
def _check_machine(audited: Audited) -> Iterator[Problem]:
    for package in audited.packages:
        for image in package.images if package.name is not None else ():
            platform = package.name.platform if package.name is not None else ""
            there = {f"{system}-{_MACHINES.get(machine, machine)}" for system, machine in _split(platform)}
            own = f"{_SYSTEMS[image.binary.format]}-{image.binary.machine}"
            if own not in there:
                yield problem(image, f"it is for {own}, and the wheel for {platform}")


def _split(platform: str) -> list[tuple[str, str]]:
    parts = [each.partition("-") for each in systems(platform)]
    return [(system, machine) for system, _, machine in parts]


@rule(
    "VA305 no-shared-files",
    what="No file is in two wheels that can be installed beside each other.",
    why="The one that is installed last overwrites the library of the other with one that is for another machine.",
    mend="Give each wheel a package of its own.",
)
def _check_shared(audited: Audited) -> Iterator[Problem]:
    from variantkit.check.content_rules import shared_files
    from variantkit.check.contents import read_wheel

    wheels = [each for each in audited.packages if each.name is not None]
    if len({each.name.project for each in wheels if each.name is not None}) < 2:
        return
    try:
        contents = [read_wheel(each.path, each.name) for each in wheels if each.name is not None]
    except WheelError as error:
        msg = f"one of the wheels {error}"
        raise UncheckedError(msg) from error
    for file, what in shared_files(contents):
        yield Problem(file, "", what)
