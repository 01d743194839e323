"""Rules on a release as a whole: whoever installs finds a wheel, the right one, and all that it requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from variantkit import variants
from variantkit.check.registry import Problem, rule
from variantkit.matrix import PLATFORMS
from variantkit.platforms import covers, systems
from variantkit.variants import NULL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from variantkit.check.contents import Contents
    from variantkit.check.model import Family, Files, Release

__all__: list[str] = []


@rule(
    "VK301 plain-wheel",
    what="For each Python, ABI and platform that a wheel with a label is for, there is one without.",
    why="pip, and uv without its preview flag, pass over wheels with a label; without a plain one they take an older "
    "release, or none.",
    mend="Put the base wheel beside it, which it was assembled from.",
)
def _check_plain_wheel(files: Files) -> Iterator[Problem]:
    for release in files.releases.values():
        missing: dict[tuple[str, str, str], Path] = {}
        for wheel in release.labelled:
            name = wheel.name
            if not any(
                (plain.name.python, plain.name.abi) == (name.python, name.abi)
                and covers(plain.name.platform, name.platform)
                for plain in release.plain
            ):
                missing.setdefault((name.python, name.abi, name.platform), wheel.path)
        for tags, path in missing.items():
            yield Problem(path, f"there is no plain wheel of {release.project} {release.version} for {'-'.join(tags)}")


@rule(
    "VK302 all-labels",
    what="Each plain wheel of a release with labels has a wheel of each label of its platform beside it.",
    why="Which classifier somebody gets should depend on the machine, and not on the version of Python.",
    mend="Assemble the release again from all base and classifier wheels.",
)
def _check_all_labels(files: Files) -> Iterator[Problem]:
    for release in files.releases.values():
        if not release.labelled:
            continue
        there = {
            label: frozenset(system for wheel in wheels for system in systems(wheel.name.platform))
            for label, wheels in release.labels.items()
        }
        for label, where in _expected(files, release).items():
            there[label] = there.get(label, frozenset()) | where
        for plain in release.plain:
            here = systems(plain.name.platform)
            for label, where in sorted(there.items()):
                wanted = label == NULL or "any" in here | where or here & where
                if wanted and not any(_beside(plain, wheel) for wheel in release.labels.get(label, ())):
                    yield Problem(
                        plain.path, f"there is no wheel of the label {label} for its Python, ABI and platform"
                    )


def _expected(files: Files, release: Release) -> dict[str, frozenset[str]]:
    """Return the platforms of each label that the classifier wheels at hand could be assembled into."""
    family = files.family
    if family is None or family.release is not release:
        return {}
    wanted = variants.labels(family.matrix)
    found: dict[str, frozenset[str]] = {}
    for row, wheel in family.classifiers:
        if row.label in wanted:
            found[row.label] = found.get(row.label, frozenset()) | systems(wheel.name.platform)
    return found


def _beside(plain: Contents, wheel: Contents) -> bool:
    one, two = plain.name, wheel.name
    here, there = systems(one.platform), systems(two.platform)
    return (one.python, one.abi) == (two.python, two.abi) and ("any" in here | there or bool(here & there))


@rule(
    "VK303 all-classifiers",
    what="Each classifier that classifiers.toml publishes for a platform of the release has its wheel, and no other.",
    why="A release, or an index, with only a part of its files offers extras that cannot be installed.",
    mend="Build what is missing, or take the platform out of the row in classifiers.toml.",
    needs="matrix",
)
def _check_all_classifiers(files: Files) -> Iterator[Problem]:
    family = files.family
    if family is None:
        return
    bases = family.release.plain
    if not bases:
        where = (family.release.labelled or [wheel for _, wheel in family.classifiers])[0].path
        yield Problem(where, f"there is no base wheel of {family.release.project} {family.version}", "Build it.")
        return
    yield from _missing(family, bases)
    for row, wheel in [*((family.matrix.base, base) for base in bases), *family.classifiers]:
        for system in sorted(systems(wheel.name.platform) - {"any", *row.platforms}):
            yield Problem(wheel.path, f"classifiers.toml does not publish {row.name} for {system}")


def _missing(family: Family, bases: Iterable[Contents]) -> Iterator[Problem]:
    bases = list(bases)
    here = {system for base in bases for system in systems(base.name.platform)}
    for row in family.matrix.rows:
        there = {
            system for known, wheel in family.classifiers if known == row for system in systems(wheel.name.platform)
        }
        if row == family.matrix.base:
            continue
        for system in (each for each in PLATFORMS if each in here and each in row.platforms):
            if not {"any", system} & there:
                yield Problem(
                    bases[0].path,
                    f"classifiers.toml publishes {row.name} for {system}, and there is no wheel of "
                    f"{canonicalize_name(family.matrix.project.distribution)}-{row.name} {family.version} for it",
                )


@rule(
    "VK304 one-version",
    what="The wheels of a folder are of one version of each project, and of one of the matrix's project.",
    why="A classifier wheel requires the base wheel of its own version, so a mixture cannot be installed.",
    mend="Keep the wheels of one release in a folder; an index may have several.",
    needs="folder",
)
def _check_one_version(files: Files) -> Iterator[Problem]:
    family = files.family
    members = {family.release.project, *(wheel.name.project for _, wheel in family.classifiers)} if family else set()
    seen: dict[str, Release] = {}
    for release in sorted(files.releases.values(), key=lambda each: each.version, reverse=True):
        group = family.release.project if family is not None and release.project in members else release.project
        newest = seen.setdefault(group, release)
        if newest.version != release.version:
            path = next((wheel.path for wheel in (*release.plain, *release.labelled)), None)
            path = path or (release.table.path if release.table is not None else None)
            if path is not None:
                yield Problem(
                    path, f"it is of version {release.version}, and {newest.project} is here in {newest.version}"
                )
