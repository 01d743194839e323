"""A static simple repository that any web server, or a plain folder, can host, published by one rename.

    files/ab/cdef…/NAME        the files, each in a place that its hash names: never changed, never replaced
    simple -> .current/simple  the pages (`variantkit.pages`)
    index.html -> .current/…   the page on which people choose
    .current -> .pages/000007  what is switched

A reader sees the old pages or the new ones, and each page names files that are there and have the hash it says; also a
reader who asks for a file that a page named before the switch gets it. Several releases lie side by side, and adding one
writes the pages of its own projects only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from variantkit import front, pages, variants
from variantkit.errors import IndexingError
from variantkit.files import write_atomically
from variantkit.incoming import Incoming, files_in, inspect
from variantkit.lock_file import only_writer
from variantkit.pages import VARIANTS_SUFFIX, File, version_of
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from variantkit.matrix import Matrix

__all__ = ["Published", "Repository", "write_index"]

_CURRENT = ".current"
_PAGES = ".pages"
_REMOVED = "removed.json"
_INCOMING = ".incoming"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """What a publication changed, as file names; `simple` is what installers are given."""

    simple: Path
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0


def write_index(files: Iterable[Path], target: Path) -> Path:
    """Publish `files` at `target` and return the address of its pages; of these releases nothing else stays there.

    Raises `IndexingError` as `Repository.publish` does.
    """
    return Repository(target).publish(files, replace=True).simple


class Repository:
    """The repository in `folder`, which need not exist."""

    def __init__(self, folder: Path, *, wait: bool = True, say: Callable[[str], None] = lambda _: None) -> None:
        """Take the folder; while another process writes there, `wait` and `say` for whom, or raise `BusyError`."""
        self.folder = folder.absolute()
        self.wait = wait
        self.say = say

    @property
    def simple(self) -> Path:
        """The pages."""
        return self.folder / "simple"

    def projects(self) -> dict[str, list[File]]:
        """Return all that is published, by project."""
        if not self.simple.is_dir():
            return {}
        return {path.parent.name: self._read(path.parent.name) for path in sorted(self.simple.glob("*/index.json"))}

    def publish(
        self, files: Iterable[Path], *, replace: bool = False, matrix: Matrix | None = None, now: str | None = None
    ) -> Published:
        """Add wheels and sdists, and switch to the pages that have them; `matrix` describes them to people.

        A published file never changes: another content under its name is an `IndexingError`, unless `replace` takes what
        is there of these versions away. `now` is the time of upload, in the form of ISO 8601. Raises `IndexingError`, with
        nothing changed for a reader, when a file is none of those, or when the folder is something else or cannot be
        written; `VariantError` when the variants of a release contradict.
        """
        time = now or datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        new = [inspect(path, time) for path in files_in(files)]
        names = [each.file.filename for each in new]
        if twice := sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []:
            msg = f"{twice[0]} was given twice. Name one of the two, since an index has one file of a name."
            raise IndexingError(msg)
        with self._writing():
            touched = {each.project: self._read(each.project) for each in new}
            removed: list[File] = []
            if replace:
                removed = self._take_away(touched, new)
            added = self._fresh(touched, new)
            self._derive_variants(touched, added, new, time)
            for each in added:
                self._store(each)
            here = {file.place for files in touched.values() for file in files}
            removed = [file for file in removed if file.place not in here]
            if not self._switch(touched, removed, matrix, _versions(new, matrix)):
                return Published(simple=self.simple, unchanged=len(new))
        return Published(
            simple=self.simple,
            added=tuple(each.file.filename for each in added),
            removed=tuple(file.filename for file in removed if file.filename not in names),
            unchanged=len(new) - len([each for each in added if each.file.filename in names]),
        )

    def yank(self, version: str, reason: str | None, projects: Iterable[str] = ()) -> Published:
        """Mark a release as yanked (PEP 592) for a reason, or with None as not; `projects` are all that have it.

        Raises `IndexingError` when there is no such release.
        """
        with self._writing():
            wanted = {str(canonicalize_name(name)) for name in projects}
            touched: dict[str, list[File]] = {}
            changed: list[str] = []
            for name, files in self.projects().items():
                if wanted and name not in wanted:
                    continue
                for place, file in enumerate(files):
                    # A file of variants is about a release and none of its own.
                    if Version(version_of(file.filename)) == Version(version) and not file.filename.endswith(
                        VARIANTS_SUFFIX
                    ):
                        touched.setdefault(name, files)[place] = dataclasses.replace(file, yanked=reason)
                        changed.append(file.filename)
            if not changed:
                msg = f"There is no release {version} in {self.folder}. Name one that is there."
                raise IndexingError(msg)
            self._switch(touched, [])
        return Published(simple=self.simple, added=tuple(changed))

    def _read(self, project: str) -> list[File]:
        page = self.simple / project / "index.json"
        try:
            return pages.read_project(page.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Be the only writer in a folder that is a repository, and without what a killed one has left over."""
        folder = self.folder
        present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        strange = bool(present) and not present & {_PAGES, ".lock"}
        if folder.is_symlink() or strange or (folder.exists() and not folder.is_dir()):
            msg = f"{folder} exists and is not an index that was written here. Remove it, or choose another place."
            raise IndexingError(msg)
        try:
            with only_writer(folder, wait=self.wait, say=self.say):
                shutil.rmtree(folder / _INCOMING, ignore_errors=True)
                for path in (folder / _PAGES).glob(".[0-9]*"):
                    shutil.rmtree(path)
                for name in ("files", _PAGES, _INCOMING):
                    (folder / name).mkdir(exist_ok=True)
                try:
                    yield
                finally:
                    shutil.rmtree(folder / _INCOMING, ignore_errors=True)
        except OSError as error:
            msg = (
                f"{error.filename or folder} cannot be written: {error.strerror}. What was published before is untouched; "
                f"make room, or choose another place, and publish again."
            )
            raise IndexingError(msg) from error

    def _take_away(self, touched: dict[str, list[File]], new: list[Incoming]) -> list[File]:
        """Drop what is published of the versions of `new` and is not the same as what comes."""
        coming = {(each.file.filename, each.file.sha256) for each in new}
        versions = {(each.project, version_of(each.file.filename)) for each in new}
        dropped = []
        for project, files in touched.items():
            for file in list(files):
                if (project, version_of(file.filename)) in versions and (file.filename, file.sha256) not in coming:
                    files.remove(file)
                    dropped.append(file)
        return dropped

    def _fresh(self, touched: dict[str, list[File]], new: list[Incoming]) -> list[Incoming]:
        """Return those that are not published yet, and put them on their pages."""
        fresh = []
        for each in new:
            files = touched[each.project]
            known = next((file for file in files if file.filename == each.file.filename), None)
            if known is None:
                files.append(each.file)
                fresh.append(each)
            elif known.sha256 != each.file.sha256:
                msg = (
                    f"{each.file.filename} is published with another content, and a published file never changes. Raise the "
                    f"version; or, where nobody has it yet, give --replace."
                )
                raise IndexingError(msg)
        return fresh

    def _derive_variants(
        self, touched: dict[str, list[File]], fresh: list[Incoming], new: list[Incoming], time: str
    ) -> None:
        """Put the file of variants of each release that has some on its page: it is derived from the wheels."""
        releases: dict[tuple[str, str], list[Incoming]] = {}
        for each in new:
            if each.variant is not None:
                releases.setdefault((each.project, version_of(each.file.filename)), []).append(each)
        for (project, version), wheels in releases.items():
            files = touched[project]
            documents = [each.variant for each in wheels if each.variant is not None]
            name = WheelName.parse(wheels[0].file.filename)
            filename = variants.index_filename(name.distribution, name.version)
            known = next((file for file in files if file.filename == filename), None)
            if known is not None:
                documents.insert(0, json.loads((self.folder / known.place).read_bytes()))
            data = variants.dumps(variants.combine(documents)).encode()
            digest = hashlib.sha256(data).hexdigest()
            if known is not None:
                if known.sha256 == digest:
                    continue
                # It is not immutable: it may come to have more variants.
                files.remove(known)
            source = self.folder / _INCOMING / f"{project}-{version}{VARIANTS_SUFFIX}"
            write_atomically(source, data)
            file = File(filename=filename, sha256=digest, size=len(data), upload_time=time)
            files.append(file)
            fresh.append(Incoming(source=source, file=file, project=project))

    def _store(self, new: Incoming) -> None:
        place = self.folder / new.file.place
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            incoming = self.folder / _INCOMING / new.file.sha256
            shutil.copyfile(new.source, incoming)
            incoming.replace(place)
        if new.metadata is not None:
            write_atomically(place.with_name(place.name + ".metadata"), new.metadata)
        if new.provenance is not None:
            write_atomically(place.with_name(place.name + ".provenance"), new.provenance)

    def _switch(
        self,
        touched: dict[str, list[File]],
        removed: list[File],
        matrix: Matrix | None = None,
        versions: Collection[str] = (),
    ) -> bool:
        """Write the new pages beside the old ones and switch to them; return False where they would be the same."""
        before = self.folder / _CURRENT
        pages_now = self._pages(touched, before)
        every = {**self.projects(), **touched}
        pages_now |= front.render(before, every, matrix, versions)
        if before.exists() and all(_same(before / name, text) for name, text in pages_now.items()):
            return False
        number = max((int(path.name) for path in (self.folder / _PAGES).glob("[0-9]*")), default=0) + 1
        tree = self.folder / _PAGES / f".{number:06}"
        for name, text in pages_now.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text, encoding="utf-8")
        for name in every.keys() - touched.keys():
            (tree / "simple" / name).mkdir()
            for page in ("index.html", "index.json"):
                os.link(before / "simple" / name / page, tree / "simple" / name / page)
        (tree / _REMOVED).write_text(json.dumps([file.place for file in removed]) + "\n", encoding="utf-8")
        tree = tree.rename(self.folder / _PAGES / f"{number:06}")

        previous = before.resolve() if before.is_symlink() else None
        _link(before, f"{_PAGES}/{tree.name}")
        for name in ("index.html", "simple"):
            if not (self.folder / name).is_symlink():
                _link(self.folder / name, f"{_CURRENT}/{name}")
        self._forget(tree, previous, {file.place for files in every.values() for file in files})
        return True

    def _pages(self, touched: dict[str, list[File]], before: Path) -> dict[str, str]:
        """Return the pages that a publication may change, by their place."""
        names = sorted({path.parent.name for path in before.glob("simple/*/index.json")} | touched.keys())
        found = {"simple/index.html": pages.root_html(names), "simple/index.json": pages.root_json(names)}
        for name, unsorted in touched.items():
            files = sorted(unsorted, key=lambda file: (Version(version_of(file.filename)), file.filename))
            found[f"simple/{name}/index.html"] = pages.project_html(name, files)
            found[f"simple/{name}/index.json"] = pages.project_json(name, files)
        return found

    def _forget(self, current: Path, previous: Path | None, still: set[str]) -> None:
        """Remove all pages but these, and the files that only pages before the previous ones named."""
        gone: list[str] = []
        for path in (self.folder / _PAGES).iterdir():
            if path != current:
                gone += _places(path)
            if path not in (current, previous):
                shutil.rmtree(path)
        for place in set(gone) - still:
            file = self.folder / place
            for path in (file, file.with_name(file.name + ".metadata"), file.with_name(file.name + ".provenance")):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another file of the same content, under another name
                file.parent.rmdir()


def _versions(new: Iterable[Incoming], matrix: Matrix | None) -> set[str]:
    """Return the versions of the matrix' own distribution that are being published."""
    name = canonicalize_name(matrix.project.distribution) if matrix else ""
    return {version_of(each.file.filename) for each in new if each.project == name}


def _same(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except OSError:
        return False


def _link(path: Path, target: str) -> None:
    """Make a relative symbolic link, or turn one, by one rename."""
    beside = path.with_name(f".{path.name.lstrip('.')}.link")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(path)


def _places(generation: Path) -> list[str]:
    try:
        places: list[str] = json.loads((generation / _REMOVED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return places
