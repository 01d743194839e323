"""Rules on each wheel and sdist for itself: archive, RECORD, and names that must be the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from variantkit.check.metadata import parse_metadata, requirement
from variantkit.check.registry import Problem, rule
from variantkit.errors import WheelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from variantkit.check.contents import Contents
    from variantkit.check.metadata import Metadata
    from variantkit.check.model import Files

__all__: list[str] = []


@rule(
    "VK201 readable",
    what="Each file can be read from its beginning to its end.",
    why="A file that was cut short, or is none at all, is worse than one that is not there.",
    mend="Build it again, or leave it out.",
)
def _check_readable(files: Files) -> Iterator[Problem]:
    yield from (problem for identifier, problem in files.unreadable if identifier == "VK201")


@rule(
    "VK202 file-name",
    what="Each name is that of a wheel, of an sdist or of a file of variants, and no two files have one name.",
    why="Installers and indexes read project, version, tags and label from the name, and pass over a name they cannot read.",
    mend="Build it again, or leave it out.",
)
def _check_file_name(files: Files) -> Iterator[Problem]:
    yield from (problem for identifier, problem in files.unreadable if identifier == "VK202")
    seen: dict[str, Path] = {}
    for each in files.archives:
        if (other := seen.setdefault(each.path.name, each.path)) != each.path and files.index is None:
            yield Problem(each.path, f"{other} has the same name", "Leave one of the two out.")


@rule(
    "VK203 archive-entries",
    what="No name is twice in a wheel, and none leads out of the folder that it is installed to.",
    why="Of two entries with one name installers take different ones, and they refuse, or worse do not refuse, names that "
    "lead out of the folder.",
    mend="Build it again.",
)
def _check_archive_entries(files: Files) -> Iterator[Problem]:
    for wheel in files.wheels:
        yield from (Problem(wheel.path, what) for what in wheel.bad_entries)


@rule(
    "VK204 record",
    what="RECORD lists each file of a wheel, with its hash and size, and nothing else.",
    why="Installers check each file against RECORD, and uninstall by it.",
    mend="Build it again; a wheel that was changed by hand needs a new RECORD.",
)
def _check_record(files: Files) -> Iterator[Problem]:
    for wheel in files.wheels:
        yield from (Problem(wheel.path, what) for what in wheel.bad_record)


@rule(
    "VK205 one-identity",
    what="The file name, the .dist-info folder, METADATA and WHEEL agree, and requirements can be read.",
    why="What the file name says is what is resolved, and what the metadata says is what is installed.",
    mend="Mend pyproject.toml where it is wrong, and build the wheel again; do not rename wheels.",
)
def _check_identity(files: Files) -> Iterator[Problem]:
    for wheel in files.wheels:
        yield from (Problem(wheel.path, what) for what in _identity(wheel))


def _identity(wheel: Contents) -> Iterator[str]:
    name = wheel.name
    yield from _name_and_version(wheel.metadata, name.project, name.version, "METADATA")
    distribution, _, version = wheel.dist_info.removesuffix(".dist-info").rpartition("-")
    if canonicalize_name(distribution) != name.project or not _same_version(version, name.version):
        yield f"its folder is {wheel.dist_info}, which is not that of {name.distribution} {name.version}"
    data = wheel.texts.get(f"{wheel.dist_info}/WHEEL")
    if data is None:
        yield "it has no WHEEL"
        return
    try:
        fields = parse_metadata(data)
    except WheelError as error:
        yield f"WHEEL {str(error).partition('. ')[0]}"
        return
    if not (fields.get("Wheel-Version") or "").startswith("1."):
        yield f"WHEEL has the version {fields.get('Wheel-Version')}, and installers know 1"
    tags, wanted = set(fields.all("Tag")), {str(tag) for tag in name.tags}
    if tags != wanted:
        yield f"WHEEL has the tags {', '.join(sorted(tags)) or 'none'}, and the file name {', '.join(sorted(wanted))}"
    if (fields.get("Build") or "") != name.build:
        yield f"WHEEL has the build number {fields.get('Build')}, and the file name {name.build or 'none'}"


def _name_and_version(metadata: Metadata, project: str, version: str, place: str) -> Iterator[str]:
    said = metadata.get("Name")
    if canonicalize_name(said or "") != project:
        yield f"{place} has the name {said}, and the file name {project}"
    if not _same_version(metadata.get("Version") or "", version):
        yield f"{place} has the version {metadata.get('Version')}, and the file name {version}"
    for text in metadata.all("Requires-Dist"):
        if requirement(text) is None:
            yield f"{place} has a requirement that cannot be read: {text}"
    try:
        SpecifierSet(metadata.get("Requires-Python") or "")
    except InvalidSpecifier:
        yield f"{place} has a Requires-Python that cannot be read: {metadata.get('Requires-Python')}"


def _same_version(one: str, two: str) -> bool:
    try:
        # The folder of a wheel escapes the version, as the file name does.
        return Version(one.replace("_", "+")) == Version(two.replace("_", "+"))
    except InvalidVersion:
        return False


@rule(
    "VK206 sdist",
    what="PKG-INFO of an sdist says its name and version, and all of its files lie in one folder.",
    why="Whoever has a machine that no wheel is for builds from this, and finds its name and version there.",
    mend="Build it again with `python -m build --sdist`.",
)
def _check_sdist(files: Files) -> Iterator[Problem]:
    for each in files.sdists:
        for what in _name_and_version(each.metadata, each.project, each.version, "PKG-INFO"):
            yield Problem(each.path, what)
        folder = each.path.name.removesuffix(".tar.gz")
        if f"{folder}/pyproject.toml" not in each.files:
            yield Problem(each.path, f"it has no {folder}/pyproject.toml")
        if outside := sorted(name for name in each.files if name.split("/")[0] != folder):
            yield Problem(each.path, f"{outside[0]} lies outside of {folder}/")
