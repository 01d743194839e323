"""From paths to files that rules can look at; what cannot be read becomes a problem, and is left out of the rest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from variantkit.check.comparison import release_files
from variantkit.check.contents import Contents, Sdist, read_sdist, read_wheel
from variantkit.check.documents import read_variants
from variantkit.check.model import Files, Table, table_key
from variantkit.check.published import is_index, read_index
from variantkit.check.registry import Problem
from variantkit.errors import WheelError
from variantkit.pages import VARIANTS_SUFFIX
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from variantkit.matrix import Matrix

__all__ = ["read"]


def read(
    paths: Sequence[Path], *, matrix: Matrix | None, root: Path | None = None, against: Path | None = None
) -> Iterator[Files]:
    """Read all files of folders and files as one set, and those that each index lists as another.

    Raises `WheelError` for a path that is not there or is none of these, and when there is nothing.
    """
    local: dict[Path, Path] = {}
    indexes = []
    for path in paths:
        if not path.exists():
            msg = f"{path} is not there. Name wheels, directories of wheels, or a published index."
            raise WheelError(msg)
        if path.is_dir() and is_index(path):
            indexes.append(path)
            continue
        if path.is_file() and not path.name.endswith((".whl", ".tar.gz", VARIANTS_SUFFIX)):
            msg = f"{path} is neither a wheel, an sdist nor a -variants.json. Leave it out."
            raise WheelError(msg)
        for file in release_files(path) if path.is_dir() else [path]:
            local.setdefault(file.resolve(), file)
    if against is not None and not against.is_dir():
        msg = f"{against} is not a directory. Name one with another build of these files."
        raise WheelError(msg)
    if against is not None and indexes and not local:
        msg = f"{indexes[0]} is an index, and {against} is compared with a folder. Name the folder of the release too."
        raise WheelError(msg)
    if not local and not indexes:
        msg = f"There are no wheels in {', '.join(map(str, paths)) or 'nothing'}. Build them first."
        raise WheelError(msg)
    if local:
        yield dataclasses.replace(_read(local.values()), matrix=matrix, root=root, against=against)
    for folder in indexes:
        index = read_index(folder)
        listed = {page.target(each.url): None for page in index.pages for each in page.listed}
        there = [path for path in listed if path is not None and path.is_file()]
        yield dataclasses.replace(_read(there), index=index, matrix=matrix, root=root)


def _read(paths: Iterable[Path]) -> Files:
    wheels: list[Contents] = []
    sdists: list[Sdist] = []
    tables: list[Table] = []
    unreadable: list[tuple[str, Problem]] = []
    for path in paths:
        rule = "VK202"
        try:
            if path.name.endswith(".whl"):
                name = WheelName.parse(path.name)
                rule = "VK201"
                wheels.append(read_wheel(path, name))
            elif path.name.endswith(VARIANTS_SUFFIX):
                key = table_key(path.name)
                if key is None:
                    unreadable.append((rule, Problem(path, "its name has no version", "Assemble it again.")))
                    continue
                tables.append(Table(path=path, key=key, variants=read_variants(path.read_bytes(), None)))
            else:
                rule = "VK201"
                sdists.append(read_sdist(path))
        except WheelError as error:
            unreadable.append((rule, Problem(path, str(error) if rule == "VK202" else f"it {error}", "")))
        except OSError as error:
            unreadable.append((rule, Problem(path, f"it cannot be read: {error.strerror}")))
    return Files(wheels=tuple(wheels), sdists=tuple(sdists), tables=tuple(tables), unreadable=tuple(unreadable))
