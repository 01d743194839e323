"""Two builds of one release: the same names, the same bytes, and where not, which member differs and how."""

from __future__ import annotations

import tarfile
import zipfile
from typing import TYPE_CHECKING

from variantkit.check.contents import file_hash
from variantkit.check.registry import Problem, rule
from variantkit.pages import VARIANTS_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from variantkit.check.model import Files

__all__ = ["differences", "release_files"]

_SHOWN = 3


def release_files(folder: Path) -> list[Path]:
    """Return the files of a release in a folder."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.endswith((".whl", ".tar.gz", VARIANTS_SUFFIX)) and not path.name.startswith(".")
    )


@rule(
    "VK801 same-names",
    what="Both builds have files of the same names.",
    why="A release that somebody can build again can be checked by somebody.",
    mend="Build both from the same sources for the same Pythons.",
    needs="against",
)
def _check_same_names(files: Files) -> Iterator[Problem]:
    mine, theirs = _both(files)
    for name in sorted(mine.keys() - theirs.keys()):
        yield Problem(mine[name], f"it is not in {files.against}")
    for name in sorted(theirs.keys() - mine.keys()):
        yield Problem(theirs[name], "it is in this build only")


@rule(
    "VK802 same-bytes",
    what="Files of the same name have the same bytes in both builds.",
    why="Who can build the same bytes knows what is in them.",
    mend="Find what the member depends on: time, path, order, machine; SOURCE_DATE_EPOCH sets the time.",
    needs="against",
)
def _check_same_bytes(files: Files) -> Iterator[Problem]:
    mine, theirs = _both(files)
    for name in sorted(mine.keys() & theirs.keys()):
        if mine[name].stat().st_size != theirs[name].stat().st_size or file_hash(mine[name]) != file_hash(theirs[name]):
            yield Problem(mine[name], f"it is not the same in {files.against}: {differences(mine[name], theirs[name])}")


def _both(files: Files) -> tuple[dict[str, Path], dict[str, Path]]:
    paths = [*(each.path for each in files.archives), *(table.path for table in files.tables)]
    paths += [problem.file for _, problem in files.unreadable]
    others = release_files(files.against) if files.against is not None else []
    return {path.name: path for path in paths}, {path.name: path for path in others}


def differences(one: Path, two: Path) -> str:
    """Say which members of two archives differ, and how."""
    try:
        mine, theirs = (_members(path) for path in (one, two))
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, RuntimeError) as error:
        return f"one of them cannot be read ({error})"
    found = [f"{name} is only in the first" for name in sorted(mine.keys() - theirs.keys())]
    found += [f"{name} is only in the second" for name in sorted(theirs.keys() - mine.keys())]
    for name in sorted(mine.keys() & theirs.keys()):
        parts = [part for part in mine[name] if mine[name][part] != theirs[name].get(part)]
        if "content" in parts:
            parts = [part for part in parts if part != "compression"]
        if parts:
            found.append(f"{name} differs in {' and '.join(parts)}")
    if not found and list(mine) != list(theirs):
        found.append("the members are in another order")
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more if found else "the members are the same, and how they are packed differs"


def _members(path: Path) -> dict[str, dict[str, object]]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return {
                info.filename: {
                    "content": (info.CRC, info.file_size),
                    "time": info.date_time,
                    "permissions": (info.external_attr, info.create_system),
                    "compression": (info.compress_type, info.compress_size),
                }
                for info in archive.infolist()
            }
    if path.suffix == ".gz":
        with tarfile.open(path) as tar:
            return {
                member.name: {
                    "content": file.read()
                    if member.isfile() and (file := tar.extractfile(member))
                    else member.linkname,
                    "time": member.mtime,
                    "permissions": (member.mode, member.uid, member.gid, member.uname, member.gname),
                }
                for member in tar.getmembers()
            }
    return {path.name: {"content": path.read_bytes()}}
