"""Rules on what is in wheels beside what is in others: no file in two, and a variant is its base and one library."""

from __future__ import annotations

import configparser
import itertools
import re
from typing import TYPE_CHECKING

from variantkit.check.metadata import pinned
from variantkit.check.registry import Problem, rule
from variantkit.platforms import fit_together
from variantkit.variants import NULL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from variantkit.check.contents import Contents
    from variantkit.check.model import Files, Release

__all__ = ["shared_files"]


@rule(
    "VK309 no-shared-files",
    what="No file is in two wheels that can be installed beside each other.",
    why="The one that is installed last overwrites the file of the other, and uninstalling either takes it away.",
    mend="Give each wheel a package of its own.",
)
def _check_no_shared_files(files: Files) -> Iterator[Problem]:
    return (Problem(path, what) for path, what in shared_files(files.wheels))


def shared_files(found: Iterable[Contents]) -> Iterator[tuple[Path, str]]:
    """Return the wheels that would overwrite a file of another one, and what it is."""
    owners: dict[str, list[Contents]] = {}
    for wheel in found:
        for place in _installed(wheel):
            owners.setdefault(place, []).append(wheel)
    reported: set[tuple[str, ...]] = set()
    for place, wheels in owners.items():
        if len({wheel.name.project for wheel in wheels}) == 1:
            continue
        for one, two in itertools.combinations(wheels, 2):
            # Once for two projects; what it is about is the same in all of their wheels.
            pair = tuple(sorted((one.name.project, two.name.project)))
            if pair not in reported and _can_be_together(one, two):
                reported.add(pair)
                yield two.path, f"it installs {place}, and so does {one.path.name}"


def _installed(wheel: Contents) -> set[str]:
    """Return where the files of a wheel go: below site-packages, or as "bin/…", "data/…" or "include/…"."""
    data = wheel.dist_info.removesuffix(".dist-info") + ".data/"
    places = set()
    for name in wheel.members:
        if not name.startswith(data):
            places.add(name)
            continue
        scheme, _, rest = name.removeprefix(data).partition("/")
        if scheme in {"purelib", "platlib"}:
            places.add(rest)
        elif scheme != "headers":  # those of each distribution have a folder of their own
            places.add(f"{'bin' if scheme == 'scripts' else scheme}/{rest}")
    parser = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    # As the documentation of configparser says names are to be kept as they are written; its stubs do not allow it.
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(wheel.texts.get(f"{wheel.dist_info}/entry_points.txt", b"").decode())
    except (configparser.Error, UnicodeDecodeError):
        return places
    for section in ("console_scripts", "gui_scripts"):
        if parser.has_section(section):
            places |= {f"bin/{script}" for script in parser.options(section)}
    return places


def _can_be_together(one: Contents, two: Contents) -> bool:
    if one.name.project == two.name.project or not fit_together(one.name, two.name):
        return False
    for wheel, other in ((one, two), (two, one)):
        for each in wheel.metadata.requirements:
            # A classifier wheel and the base of another version exclude each other.
            excludes = (
                each.marker is None and pinned(each) is not None and not each.specifier.contains(other.name.version)
            )
            if excludes and re.sub(r"[-_.]+", "-", each.name).lower() == other.name.project:
                return False
    return True


@rule(
    "VK310 variant-has-metadata-of-base",
    what="METADATA of a wheel with a label is that of its base, but for more Requires-Dist from the classifier wheel.",
    why="Installers read the metadata of one wheel of a release for all of them.",
    mend="Assemble it again from this base wheel.",
)
def _check_variant_metadata(files: Files) -> Iterator[Problem]:
    for release, wheel, base in _variants(files):
        mine, theirs = wheel.metadata, base.metadata
        if mine == theirs:
            continue
        added = list(mine.fields)
        lost = []
        for field in theirs.fields:
            if field in added:
                added.remove(field)
            else:
                lost.append(field)
        for name, value in lost:
            yield Problem(wheel.path, f"METADATA does not have what that of {base.path.name} has: {name}: {value}")
        classifier = _classifier(files, release, wheel)
        allowed = set(classifier.metadata.all("Requires-Dist")) if classifier is not None else None
        for name, value in added:
            if name != "requires-dist" or (allowed is not None and value not in allowed):
                yield Problem(wheel.path, f"METADATA has what that of {base.path.name} does not have: {name}: {value}")
        if mine.body.strip() != theirs.body.strip():
            yield Problem(wheel.path, f"METADATA has another description than that of {base.path.name}")


@rule(
    "VK311 variant-is-base-and-library",
    what="A wheel with a label has each file of its base as it is, and beside them the library of its classifier only.",
    why="The variant must behave as the base does, with another library, and fall back to the base's on a weaker machine.",
    mend="Assemble it again from these base and classifier wheels.",
)
def _check_variant_contents(files: Files) -> Iterator[Problem]:
    for release, wheel, base in _variants(files):
        own = {f"{wheel.dist_info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "variant.json")}
        for name, member in base.members.items():
            if name in own:
                continue
            if name not in wheel.members:
                yield Problem(wheel.path, f"{name} of {base.path.name} is missing")
            elif wheel.members[name] != member:
                yield Problem(wheel.path, f"{name} is not that of {base.path.name}")
        folder = _folder(wheel)
        if folder is None and wheel.name.label != NULL:
            yield Problem(wheel.path, f"it holds no library of {wheel.name.label}, with a MANIFEST beside it")
        more = wheel.members.keys() - base.members.keys() - own
        for name in sorted(more):
            if not name.startswith((f"{wheel.dist_info}/sboms/", *([f"{folder}/"] if folder is not None else []))):
                yield Problem(wheel.path, f"{name} is neither in {base.path.name} nor beside the library")
        classifier = _classifier(files, release, wheel)
        there = _folder(classifier, wheel.name.label) if classifier is not None else None
        if folder is None or classifier is None or there is None:
            continue
        for name, member in classifier.members.items():
            target = folder + name[len(there) :]
            if name.startswith(f"{there}/") and name != f"{there}/__init__.py" and wheel.members.get(target) != member:
                yield Problem(wheel.path, f"{target} is not {name} of {classifier.path.name}")


def _variants(files: Files) -> Iterator[tuple[Release, Contents, Contents]]:
    for release in files.releases.values():
        for wheel in release.labelled:
            base = release.base_of(wheel)
            if base is not None:
                yield release, wheel, base


def _folder(wheel: Contents, label: str | None = None) -> str | None:
    """Return the folder with the library of a label, its own by default."""
    label = wheel.name.label if label is None else label
    for folder, fields in wheel.manifests.items():
        if fields.get("Classifier", "").replace("-", "_") == label:
            return folder
    return None


def _classifier(files: Files, release: Release, wheel: Contents) -> Contents | None:
    """Return the classifier wheel of the release whose library a wheel with a label has, where it is among the files."""
    for name in (f"{release.project}-{wheel.name.label}", f"{release.project}-{wheel.name.label.replace('_', '-')}"):
        other = files.releases.get((name, release.version))
        for each in other.plain if other is not None else ():
            if fit_together(each.name, wheel.name):
                return each
    return None
