"""Rules on kernel libraries and the wheels around them: MANIFESTs, the matrix they were built from, sizes, platforms."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from variantkit import generate
from variantkit.check.contents import Member
from variantkit.check.registry import Problem, rule
from variantkit.sbom import NATIVE
from variantkit.variants import NULL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from variantkit.check.contents import Contents
    from variantkit.check.model import Family, Files
    from variantkit.check.registry import Level
    from variantkit.matrix import Row

__all__ = ["over_budget"]


@rule(
    "VK401 manifest-is-true",
    what="A MANIFEST says the version of its wheel, and the size and hash of the library beside it.",
    why="The loader does not open a library whose version or size is another than its MANIFEST says.",
    mend="Build and repair the wheel again.",
)
def _check_manifest(files: Files) -> Iterator[Problem]:
    for wheel in files.wheels:
        for folder, fields in wheel.manifests.items():
            place = f"{folder}/MANIFEST"
            library = wheel.members.get(f"{folder}/{fields.get('Library')}")
            if library is None:
                yield Problem(wheel.path, f"{place} names the library {fields.get('Library')}, which is not beside it")
                continue
            wanted = {"Size": str(library.size), "SHA256": library.sha256, "Version": wheel.name.version}
            for key, value in wanted.items():
                if fields.get(key) != value:
                    yield Problem(wheel.path, f"{place} has the {key} {fields.get(key)}, and it is {value}")
            owner = canonicalize_name(fields.get("Distribution", ""))
            if wheel.name.project != owner and not wheel.name.project.startswith(f"{owner}-"):
                yield Problem(wheel.path, f"{place} is of the distribution {fields.get('Distribution')}")


@rule(
    "VK402 built-from-this-matrix",
    what="Each wheel holds the library of its classifier, built from the row as classifiers.toml has it today.",
    why="A library that was compiled with other flags, or for other features, than the loader believes can crash.",
    mend="Build it again.",
    needs="matrix",
)
def _check_built_from_this_matrix(files: Files) -> Iterator[Problem]:
    family = files.family
    for wheel, rows in _rows(family) if family is not None else ():
        built = {fields.get("Classifier"): fields for fields in wheel.manifests.values()}
        for row in rows:
            if row.name not in built:
                yield Problem(wheel.path, f"it holds no library of {row.name}, with a MANIFEST beside it")
            elif built[row.name].get("Row") != generate.row_digest(row):
                yield Problem(
                    wheel.path,
                    f"it was built from another version of classifiers.toml: the row {row.name!r} has changed since",
                )


def _rows(family: Family) -> Iterator[tuple[Contents, list[Row]]]:
    """Return the wheels of the project, and the rows whose libraries each must hold."""
    base = family.matrix.base
    labels = {row.label: row for row in family.matrix.rows}
    for wheel in family.release.plain:
        yield wheel, [base]
    for wheel in family.release.labelled:
        own = labels.get(wheel.name.label)
        yield wheel, [base] if own is None or wheel.name.label == NULL else [base, own]
    for row, wheel in family.classifiers:
        yield wheel, [row]


@rule(
    "VK403 catalogue",
    what="The catalogue in a base wheel is the one that is generated from classifiers.toml.",
    why="The loader believes the catalogue: it says what a machine must have for which classifier.",
    mend="Run `variantkit matrix --write`, and build the base wheels again.",
    needs="matrix",
)
def _check_catalogue(files: Files) -> Iterator[Problem]:
    family = files.family
    if family is None or not family.matrix.generate.catalogue:
        return
    text = generate.catalogue(family.matrix, family.version).encode()
    wanted = Member(size=len(text), sha256=hashlib.sha256(text).hexdigest())
    path = PurePosixPath(family.matrix.generate.catalogue.replace("\\", "/"))
    for wheel in (*family.release.plain, *family.release.labelled):
        # The source tree may have more folders above the package than the wheel.
        names = ["/".join(path.parts[start:]) for start in range(len(path.parts))]
        name = next((each for each in names if each in wheel.members), None)
        if name is None:
            yield Problem(wheel.path, f"it has no catalogue {path.name}")
        elif wheel.members[name] != wanted:
            yield Problem(wheel.path, f"{name} is not what classifiers.toml makes it")


@rule(
    "VK404 size-budget",
    what="No wheel is larger than the budget of its row; one with a label has the budgets of the base and of its row.",
    why="Indexes limit sizes, and each user downloads it.",
    mend="Make it smaller, or raise size-budget-kib of the row and say why.",
    needs="matrix",
)
def _check_size_budget(files: Files) -> Iterator[Problem]:
    family = files.family
    for wheel, rows in _rows(family) if family is not None else ():
        if what := over_budget(wheel.size, rows):
            yield Problem(wheel.path, what)


def over_budget(size: int, rows: Sequence[Row]) -> str:
    """Return what is wrong with the size of a wheel that has the budgets of these rows, "" for nothing."""
    budget = sum(row.size_budget_kib for row in rows)
    if size <= budget * 1024:
        return ""
    return f"it has {-(-size // 1024)} KiB, and the budget of {' and '.join(row.name for row in rows)} is {budget} KiB"


@rule(
    "VK405 platform-tag",
    what="The platform of a wheel is one that can be published: repaired, and a platform at all where it has machine code. "
    "In a folder, one that was not repaired is a warning, since it may be for this machine only.",
    why="`linux_…` promises nothing about the system, so that indexes refuse it and it fails on older ones; a wheel for "
    "`any` machine with machine code is installed where that cannot run.",
    mend="Repair it with `variantkit repair`.",
)
def _check_platform_tag(files: Files) -> Iterator[Problem]:
    # What was built for this machine only may stay as it is in a folder, so there it is a warning.
    for wheel in files.wheels:
        tags = wheel.name.platform.split(".")
        native = sorted(name for name in wheel.members if NATIVE.fullmatch(name))
        if any(tag.startswith("linux_") for tag in tags):
            level: Level = "warning" if files.index is None else "error"
            yield Problem(wheel.path, f"its platform {wheel.name.platform} was not repaired", level=level)
        if "any" in tags and native:
            yield Problem(
                wheel.path, f"it is for any platform, and {native[0]} is machine code", "Build it for its platform."
            )
