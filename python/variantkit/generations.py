"""Generations of pages and of the files that they name: shown by one rename, removed when no reader can ask for them.

New pages are written beside those shown; these stay, with their files, until the next ones are shown. A killed writer may
leave pages that were finished and never shown, files that are on no page, or old pages half removed. `Generations.tidy`
finds all of that, since a file is announced before it is stored; so the next writer removes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from typing import TYPE_CHECKING

from variantkit.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

__all__ = ["SIDECARS", "Generations"]

SIDECARS = (".metadata", ".provenance")
"""What may lie beside a file, by how its name ends."""

_CURRENT = ".current"
_PAGES = ".pages"
_INCOMING = ".incoming"
_ANNOUNCED = "announced.json"
_REMOVED = "removed.json"

# What readers come in by; each leads to the same in the current pages.
_DOORS = ("index.html", "simple")


class Generations:
    """The generations of pages in `folder`; whoever calls more than `live` is the only writer there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages = folder / _PAGES
        self.incoming = folder / _INCOMING

    @property
    def live(self) -> Path:
        """The pages that readers see; there may be none yet."""
        return self.folder / _CURRENT

    def prepare(self, still: Callable[[], set[str]]) -> None:
        """Remove what a killed writer has left over, and make the folders that are written into."""
        self.tidy(still)
        for path in (self.folder / "files", self.pages, self.incoming):
            path.mkdir(exist_ok=True)

    def announce(self, places: Iterable[str]) -> None:
        """Say that files will be stored in these places: what is half there after a kill is removed by the next writer."""
        fresh = [place for place in places if not (self.folder / place).exists()]
        write_atomically(self.incoming / _ANNOUNCED, json.dumps(fresh) + "\n")

    def show(self, texts: Mapping[str, str], kept: Iterable[str], removed: Iterable[str]) -> None:
        """Write the pages `texts`, link the `kept` ones to those of before, and switch to all of them.

        `removed` are the places of the files that were on the pages until now; they stay for one more generation.
        """
        number = self._number() + 1
        tree = self.pages / f".{number:06}"
        for name, text in texts.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text, encoding="utf-8")
        for name in kept:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(self.live / name, tree / name)
        (tree / _REMOVED).write_text(json.dumps(list(removed)) + "\n", encoding="utf-8")
        tree.rename(self.pages / f"{number:06}")
        # They lead nowhere until the first pages are shown. After that, one rename is all.
        for name in _DOORS:
            if not (self.folder / name).is_symlink():
                _link(self.folder / name, f"{_CURRENT}/{name}")
        _link(self.live, f"{_PAGES}/{number:06}")

    def tidy(self, still: Callable[[], set[str]]) -> None:
        """Remove all pages but those that are shown and those before, and the files that are only on others.

        `still` gives the places of all files that are on the pages now. It can be broken off anywhere and begun again.
        """
        number = self._number()
        trees = {int(path.name): path for path in self.pages.glob("[0-9]*")}
        earlier = sorted(each for each in trees if each < number)
        # What was removed when those before were shown is on neither of the two.
        gone = {place for each in earlier for place in _places(trees[each] / _REMOVED)}
        gone |= set(_places(self.incoming / _ANNOUNCED))
        gone = {place for place in gone if (self.folder / place).parent.exists()}
        if gone:
            gone -= still() | set(_places(trees[number] / _REMOVED) if number in trees else ())
        for place in gone:
            self._remove(self.folder / place)
        for each, tree in trees.items():
            # Those with a higher number were never shown.
            if each != number and each not in earlier[-1:]:
                shutil.rmtree(tree)
        for path in [*self.pages.glob(".[0-9]*"), self.incoming]:
            if path.exists():
                shutil.rmtree(path)
        for name in (_CURRENT, *_DOORS):
            _beside(self.folder / name).unlink(missing_ok=True)

    def _number(self) -> int:
        try:
            return int(self.live.readlink().name)
        except FileNotFoundError:
            return 0

    def _remove(self, path: Path) -> None:
        for each in (path, *(path.with_name(path.name + ending) for ending in SIDECARS)):
            each.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another file of the same content, under another name
            path.parent.rmdir()
            path.parent.parent.rmdir()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name.lstrip('.')}.link")


def _link(path: Path, target: str) -> None:
    """Make a relative symbolic link, or turn one, by one rename."""
    beside = _beside(path)
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(path)


def _places(path: Path) -> list[str]:
    try:
        places: list[str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return places
