"""From paths to native files: in wheels, folders, and alone; found by how they begin, whatever they are called."""

from __future__ import annotations

import dataclasses
import functools
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.audit.binary import format_of
from variantkit.audit.nested import HEAD, SHORT, Budget, hidden
from variantkit.check.contents import DAMAGE
from variantkit.errors import BinaryError, WheelError
from variantkit.printable import printable
from variantkit.sbom import NATIVE
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

__all__ = ["LARGEST", "NO_MEMORY", "Native", "Source", "content", "natives", "sources"]

LARGEST = 2 << 30
"""How large a native file may be: all of it is held in memory."""
NO_MEMORY = "there is not enough memory to audit it. Audit it on a machine with more."

_LARGEST_MANIFEST = 1 << 16
_ZIP = b"PK"
_MEND = "Mend that and audit it again."
# A pipe or a device may never end.
_NEITHER = "is neither a regular file nor a folder. Leave it out, or save what comes out of it in a file."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Native:
    """A file that holds machine code, or "" and why it could not be read."""

    member: str
    data: bytes = b""
    broken: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A wheel, a folder that is a package, or a native file alone."""

    path: Path
    name: WheelName | None = None
    """None where it is no wheel."""


def sources(paths: Sequence[Path]) -> Iterator[Source]:
    """Return what there is in paths, each once: of a folder its wheels, or else the folder itself.

    Raises `WheelError` for a path that is not there or is none of these, and for a wheel whose name cannot be read.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            msg = f"{printable(str(path))} is not there. Name wheels, folders of wheels, folders of packages, or native files."
            raise WheelError(msg)
        if not path.is_file() and not path.is_dir():
            msg = f"{printable(str(path))} {_NEITHER}"
            raise WheelError(msg)
        found = sorted(path.glob("*.whl")) if path.is_dir() else []
        for each in found or [path]:
            if each.resolve() in seen:
                continue
            seen.add(each.resolve())
            name = WheelName.parse(each.name) if each.name.endswith(".whl") and not each.is_dir() else None
            try:
                known = name is not None or not each.is_file() or _kind(_head(each)) is not None
            except OSError as error:
                msg = f"{printable(str(each))} cannot be read: {error.strerror}. Mend that, or leave it out."
                raise WheelError(msg) from error
            if not known:
                msg = f"{printable(str(each))} is neither a wheel nor a native file. Leave it out."
                raise WheelError(msg)
            yield Source(path=each, name=name)


def natives(source: Source) -> tuple[Iterator[Native], dict[str, dict[str, str]]]:
    """Return the native files of a wheel, a folder or a file, and the fields of its MANIFESTs by their folder.

    Raises `WheelError`, whose message goes on after the name of the source, where it is damaged as a whole.
    """
    if source.path.is_dir():
        return _of_folder(source.path)
    # Links that lead nowhere are told as such where they are opened.
    if source.path.exists() and not source.path.is_file():
        raise WheelError(_NEITHER)
    if source.name is None and _kind(_head(source.path)) == "native":
        return _of_file(source.path)
    return _of_archive(source.path)


def _kind(head: bytes) -> str | None:
    if format_of(head) is not None:
        return "native"
    return "archive" if head.startswith(_ZIP) else None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def content(file: IO[bytes], size: int) -> bytes:
    """Return all of an open native file that should have `size` bytes.

    Raises `BinaryError`, whose message goes on after its name, where it is too large.
    """
    data = file.read(size + 1) if size <= LARGEST else None
    if data is None or len(data) > LARGEST:
        msg = f"it is larger than {LARGEST / (1 << 30):g} GiB, which is not read. Take debug information out, or split it."
        raise BinaryError(msg)
    return data


def _natives(
    member: str, head: bytes, size: int, read: Callable[[], IO[bytes]], budget: Budget, mend: str
) -> Iterator[Native]:
    """Return a file if it is a native one, and those in it if it is an archive; `read` opens it at its beginning."""
    try:
        if format_of(head) is not None:
            with read() as file:
                data = content(file, size)
            yield Native(member=member, data=data)
            return
    except BinaryError as error:
        yield Native(member=member, broken=str(error))
        return
    except MemoryError:
        yield Native(member=member, broken=NO_MEMORY)
        return
    except DAMAGE as error:
        yield Native(member=member, broken=_unreadable(error, mend))
        return
    # What ld.so or Python would be asked to load has to be looked at, whatever it turns out to be.
    if NATIVE.fullmatch(member.rpartition("/")[2]):
        yield Native(member=member, broken="it has the name of a native file, and is none. Build it again.")
        return
    for name, why in hidden(member, head, read, budget):
        yield Native(member=name, broken=why)


def _unreadable(error: BaseException, mend: str) -> str:
    what = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return f"it cannot be read: {what}. {mend}"


def _of_file(path: Path) -> tuple[Iterator[Native], dict[str, dict[str, str]]]:
    fields = _manifest_at(path.parent / "MANIFEST")
    found = _natives(path.name, _head(path), path.stat().st_size, _opener(path), Budget(), _MEND)
    return found, {"": fields} if fields else {}


def _manifest_at(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        return _fields(file.read(_LARGEST_MANIFEST))


def _of_folder(root: Path) -> tuple[Iterator[Native], dict[str, dict[str, str]]]:
    def fail(error: OSError) -> None:
        msg = f"cannot be read: {error.filename}: {error.strerror}. Mend that and audit it again."
        raise WheelError(msg) from error

    files = sorted(Path(folder) / name for folder, _, names in os.walk(root, onerror=fail) for name in names)
    manifests = {}
    for path in files:
        if path.name == "MANIFEST" and (fields := _manifest_at(path)):
            folder = path.parent.relative_to(root).as_posix()
            manifests["" if folder == "." else folder] = fields

    def found() -> Iterator[Native]:
        budget = Budget()
        for path in files:
            member = path.relative_to(root).as_posix()
            try:
                # Neither pipes nor links that lead nowhere; what a link leads to is loaded through it.
                if not path.is_file():
                    continue
                head, size = _head(path), path.stat().st_size
            except OSError as error:
                yield Native(member=member, broken=_unreadable(error, _MEND))
                continue
            yield from _natives(member, head, size, _opener(path), budget, _MEND)

    return found(), manifests


def _of_archive(path: Path) -> tuple[Iterator[Native], dict[str, dict[str, str]]]:
    manifests = {}
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
            for info in infos:
                folder, _, name = info.filename.rpartition("/")
                if name == "MANIFEST" and not folder.endswith(".dist-info") and info.compress_type in SHORT:
                    with archive.open(info) as file:
                        fields = _fields(file.read(_LARGEST_MANIFEST))
                    if fields:
                        manifests[folder] = fields
    except DAMAGE as error:
        msg = f"cannot be read as a wheel: {str(error) or type(error).__name__}. Build it again, or leave it out."
        raise WheelError(msg) from error

    def found() -> Iterator[Native]:
        budget, mend = Budget(), "Build the wheel again."
        with zipfile.ZipFile(path) as archive:
            for info in infos:
                if info.compress_type not in SHORT:
                    what = "it is neither stored nor deflated, as files of a wheel are. Build the wheel again."
                    yield Native(member=info.filename, broken=what)
                    continue
                try:
                    with archive.open(info) as file:
                        head = file.read(HEAD)
                except DAMAGE as error:
                    yield Native(member=info.filename, broken=_unreadable(error, mend))
                    continue
                read = functools.partial(archive.open, info)
                yield from _natives(info.filename, head, info.file_size, read, budget, mend)

    return found(), manifests


def _fields(data: bytes) -> dict[str, str]:
    """Return the fields of a MANIFEST of ours, {} of another file of that name."""
    pairs = (line.partition(":") for line in data.decode("utf-8", "replace").splitlines())
    fields = {key.strip(): value.strip() for key, _, value in pairs if key.strip()}
    return fields if fields.keys() & {"Manifest-Version", "Classifier"} else {}
