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
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from variantkit import front, pages, variants
from variantkit.errors import IndexingError, StorageError
from variantkit.files import write_atomically
from variantkit.generations import Generations
from variantkit.incoming import Incoming, files_in, inspect, is_attested, is_intact, store
from variantkit.lock_file import only_writer
from variantkit.pages import VARIANTS_SUFFIX, File, version_of
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from variantkit.matrix import Matrix

__all__ = ["Published", "Repository", "write_index"]


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
        self._generations = Generations(self.folder)

    @property
    def simple(self) -> Path:
        """The pages."""
        return self.folder / "simple"

    def projects(self) -> dict[str, list[File]]:
        """Return all that is published, by project."""
        return {name: self._read(name) for name in self._names()}

    def publish(
        self, files: Iterable[Path], *, replace: bool = False, matrix: Matrix | None = None, now: str | None = None
    ) -> Published:
        """Add wheels and sdists, and switch to the pages that have them; `matrix` describes them to people.

        A published file never changes: another content under its name is an `IndexingError`, unless `replace` takes what
        is there of these versions away. `now` is the time of upload, in the form of ISO 8601. Raises `IndexingError`, with
        nothing changed for a reader, when a file is none of those, or when the folder is something else or cannot be
        written; `WheelError` for a damaged wheel, or one that was not built from `matrix`; `VariantError` when the variants
        of a release contradict.
        """
        time = now or datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        new = [inspect(path, time, matrix) for path in files_in(files)]
        names = [each.file.filename for each in new]
        if twice := sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []:
            msg = f"{twice[0]} was given twice. Name one of the two, since an index has one file of a name."
            raise IndexingError(msg)
        with self._writing():
            touched = {name: self._read(name) for name in {each.project for each in new}}
            before = _by_place(touched)
            if replace:
                self._take_away(touched, new)
            fresh = [
                *self._fresh(touched, new, replace=replace),
                *self._derive_variants(touched, new, time, replace=replace),
            ]
            self._generations.announce(each.file.place for each in fresh)
            for each in fresh:
                store(each, self.folder)
            after = _by_place(touched)
            given = _with_variants(new, touched)
            if not self._switch(touched, before.keys() - after.keys(), matrix, _versions(new, matrix)):
                return Published(simple=self.simple, unchanged=len(given))
        added = [after[place] for place in after if place not in before]
        left = set(after.values())
        return Published(
            simple=self.simple,
            added=tuple(added),
            removed=tuple(name for place, name in before.items() if place not in after and name not in left),
            unchanged=len(given - set(added)),
        )

    def yank(self, version: str, reason: str | None, projects: Iterable[str] = ()) -> Published:
        """Mark a release as yanked (PEP 592) for a reason, or with None as not; `projects` are all that have it.

        Raises `IndexingError` when there is no such release.
        """
        try:
            release = Version(version)
        except InvalidVersion as error:
            msg = f"{version!r} is not a version. Name one that is published in {self.folder}."
            raise IndexingError(msg) from error
        with self._writing(new=False):
            wanted = {str(canonicalize_name(name)) for name in projects}
            touched: dict[str, list[File]] = {}
            changed: list[str] = []
            for name, files in self.projects().items():
                if wanted and name not in wanted:
                    continue
                for place, file in enumerate(files):
                    # A file of variants is about a release and none of its own.
                    if Version(version_of(file.filename)) == release and not file.filename.endswith(VARIANTS_SUFFIX):
                        touched.setdefault(name, files)[place] = dataclasses.replace(file, yanked=reason)
                        changed.append(file.filename)
            if not changed:
                msg = f"There is no release {version} in {self.folder}. Name one that is there."
                raise IndexingError(msg)
            self._switch(touched)
        return Published(simple=self.simple, added=tuple(changed))

    def _names(self) -> list[str]:
        return sorted(path.parent.name for path in self._generations.live.glob("simple/*/index.json"))

    def _read(self, project: str) -> list[File]:
        page = self._generations.live / "simple" / project / "index.json"
        try:
            return pages.read_project(page.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except UnicodeDecodeError as error:
            msg = f"{page} is damaged: {error}. Publish into a new place."
            raise IndexingError(msg) from error

    def _places(self) -> set[str]:
        return {file.place for files in self.projects().values() for file in files}

    def require(self, *, new: bool = True) -> None:
        """Raise `IndexingError` where the folder is something else than a repository; it may be `new`."""
        folder = self.folder
        present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        # One that was killed at its very first steps has made nothing but these.
        others = {name for name in present - {"files"} if not name.startswith((".lock", "..lock"))}
        strange = bool(others) and ".pages" not in present
        if folder.is_symlink() or strange or (folder.exists() and not folder.is_dir()):
            msg = f"{folder} exists and is not an index that was written here. Remove it, or choose another place."
            raise IndexingError(msg)
        if not (new or present):
            msg = f"There is no index in {folder}. Name the folder of one."
            raise IndexingError(msg)

    @contextlib.contextmanager
    def _writing(self, *, new: bool = True) -> Iterator[None]:
        """Be the only writer in a folder that is a repository, and without what a killed one has left over."""
        folder = self.folder
        self.require(new=new)
        try:
            with only_writer(folder, wait=self.wait, say=self.say):
                self._generations.prepare(self._places)
                try:
                    yield
                finally:
                    self._generations.tidy(self._places)
        except OSError as error:
            # A full disk, or one that must not be written, has been told of already.
            cause = error.__cause__ if isinstance(error, StorageError) else error
            reason = cause.strerror if isinstance(cause, OSError) else error
            msg = (
                f"{folder} cannot be written: {reason}. What was published before is untouched; make room, or choose "
                f"another place, and publish again."
            )
            raise IndexingError(msg) from error

    def _take_away(self, touched: dict[str, list[File]], new: list[Incoming]) -> None:
        """Drop what is published of the versions of `new` and is not the same as what comes."""
        coming = {each.file.place for each in new}
        versions = {(each.project, version_of(each.file.filename)) for each in new}
        for project, files in touched.items():
            files[:] = [
                file
                for file in files
                if file.place in coming
                or file.filename.endswith(VARIANTS_SUFFIX)  # derived, and so replaced, from what is left
                or (project, version_of(file.filename)) not in versions
            ]

    def _fresh(self, touched: dict[str, list[File]], new: list[Incoming], *, replace: bool) -> list[Incoming]:
        """Return those that are to be stored, and put them on their pages.

        They are those that are not published yet, those with an attestation that is new, and, with `replace`, those whose
        published content is damaged.
        """
        fresh = []
        known = {(project, file.filename): file for project, files in touched.items() for file in files}
        for each in new:
            name, files = each.file.filename, touched[each.project]
            before = known.get((each.project, name))
            if before is None:
                files.append(each.file)
                fresh.append(each)
                continue
            if before.sha256 != each.file.sha256:
                msg = (
                    f"{name} is published with another content, and a published file never changes. Raise the version; "
                    f"or, where nobody has it yet, give --replace."
                )
                raise IndexingError(msg)
            # What only a publication knows stays; everything else is what the file says, also where a page was damaged.
            kept = dataclasses.replace(
                each.file,
                upload_time=before.upload_time,
                yanked=before.yanked,
                provenance=each.file.provenance or before.provenance,
            )
            if kept != before:
                files[files.index(before)] = kept
            if (replace and not is_intact(each, self.folder)) or not is_attested(each, self.folder):
                fresh.append(each)
        return fresh

    def _derive_variants(
        self, touched: dict[str, list[File]], new: list[Incoming], time: str, *, replace: bool
    ) -> list[Incoming]:
        """Put the file of variants of each release that has some on its page: it is derived from the wheels.

        It is not immutable, since a release may come to have more variants. Return those that have changed.
        """
        releases: dict[tuple[str, str], list[Incoming]] = {}
        for each in new:
            releases.setdefault((each.project, version_of(each.file.filename)), []).append(each)
        fresh = []
        for (project, version), members in releases.items():
            files = touched[project]
            known = next((file for file in files if _is_variants(file.filename, version)), None)
            documents = [each.variant for each in members if each.variant is not None]
            if known is not None and replace and not documents:
                files.remove(known)
            if not documents:
                continue
            if known is not None and not replace:
                documents.insert(0, json.loads((self.folder / known.place).read_bytes()))
            data = variants.dumps(variants.combine(documents)).encode()
            name = next(WheelName.parse(each.file.filename) for each in members if each.variant is not None)
            filename = variants.index_filename(name.distribution, name.version)
            file = File(filename=filename, sha256=hashlib.sha256(data).hexdigest(), size=len(data), upload_time=time)
            source = self._generations.incoming / f"{project}-{version}{VARIANTS_SUFFIX}"
            derived = Incoming(source=source, file=file, project=project)
            if known is not None:
                if known.place == file.place:
                    if is_intact(derived, self.folder):
                        continue
                    derived = dataclasses.replace(derived, file=known)
                files.remove(known)
            write_atomically(source, data)
            files.append(derived.file)
            fresh.append(derived)
        return fresh

    def _switch(
        self,
        touched: dict[str, list[File]],
        removed: Iterable[str] = (),
        matrix: Matrix | None = None,
        versions: Collection[str] = (),
    ) -> bool:
        """Write the new pages beside the old ones and switch to them; return False where they would be the same."""
        before = self._generations.live
        every = {**self.projects(), **touched}
        texts = self._pages(touched, sorted(every)) | front.render(before, every, matrix, versions)
        if before.exists() and all(_same(before / name, text) for name, text in texts.items()):
            return False
        others = every.keys() - touched.keys()
        kept = [f"simple/{name}/{page}" for name in others for page in ("index.html", "index.json")]
        self._generations.show(texts, kept, removed)
        return True

    def _pages(self, touched: dict[str, list[File]], names: list[str]) -> dict[str, str]:
        """Return the pages that a publication may change, by their place."""
        found = {"simple/index.html": pages.root_html(names), "simple/index.json": pages.root_json(names)}
        for name, unsorted in touched.items():
            files = sorted(unsorted, key=lambda file: (Version(version_of(file.filename)), file.filename))
            found[f"simple/{name}/index.html"] = pages.project_html(name, files)
            found[f"simple/{name}/index.json"] = pages.project_json(name, files)
        return found


def _by_place(projects: dict[str, list[File]]) -> dict[str, str]:
    return {file.place: file.filename for files in projects.values() for file in files}


def _is_variants(filename: str, version: str) -> bool:
    return filename.endswith(VARIANTS_SUFFIX) and version_of(filename) == version


def _with_variants(new: Iterable[Incoming], touched: dict[str, list[File]]) -> set[str]:
    """Return the names of `new`, and those of the files of variants of their releases."""
    names = {each.file.filename for each in new}
    for project, version in {(each.project, version_of(each.file.filename)) for each in new}:
        names |= {file.filename for file in touched[project] if _is_variants(file.filename, version)}
    return names


def _versions(new: Iterable[Incoming], matrix: Matrix | None) -> set[str]:
    """Return the versions of the matrix' own distribution that are being published."""
    name = canonicalize_name(matrix.project.distribution) if matrix else ""
    return {version_of(each.file.filename) for each in new if each.project == name}


def _same(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except OSError:
        return False
