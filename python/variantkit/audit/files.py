"""From paths to native files: in wheels, folders, and alone; found by how they begin, whatever they are called."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.audit.binary import format_of
from variantkit.check.contents import DAMAGE
from variantkit.errors import WheelError
from variantkit.sbom import NATIVE
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Native", "Source", "natives", "sources"]

_HEAD = 64
_LARGEST_MANIFEST = 1 << 16
_ZIP = b"PK"


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
            msg = f"{path} is not there. Name wheels, folders of wheels, folders of packages, or native files."
            raise WheelError(msg)
        found = sorted(path.glob("*.whl")) if path.is_dir() else []
        for each in found or [path]:
            if each.resolve() in seen:
                continue
            seen.add(each.resolve())
            name = WheelName.parse(each.name) if each.name.endswith(".whl") and not each.is_dir() else None
            if name is None and each.is_file() and _kind(_head(each)) is None:
                msg = f"{each} is neither a wheel nor a native file. Leave it out."
                raise WheelError(msg)
            yield Source(path=each, name=name)


def natives(source: Source) -> tuple[Iterator[Native], dict[str, dict[str, str]]]:
    """Return the native files of a wheel, a folder or a file, and the fields of its MANIFESTs by their folder.

    Raises `WheelError`, whose message goes on after the name of the source, where it is damaged as a whole.
    """
    if source.path.is_dir():
        return _of_folder(source.path)
    if source.name is None and _kind(_head(source.path)) == "native":
        return _of_file(source.path)
    return _of_archive(source.path)


def _kind(head: bytes) -> str | None:
    if format_of(head) is not None:
        return "native"
    return "archive" if head.startswith(_ZIP) else None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _native(member: str, head: bytes, read: Callable[[], bytes]) -> Native | None:
    """Return a file if it is a native one; `read` gives all of it."""
    if format_of(head) is None:
        # What ld.so or Python would be asked to load has to be looked at, whatever it turns out to be.
        if NATIVE.fullmatch(member.rpartition("/")[2]):
            return Native(member=member, broken="it has the name of a native file, and is none. Build it again.")
        return None
    return Native(member=member, data=read())


def _of_file(path: Path) -> tuple[Iterator[Native], dict[str, dict[str, str]]]:
    manifest = path.parent / "MANIFEST"
    fields = _fields(manifest.read_bytes()[:_LARGEST_MANIFEST]) if manifest.is_file() else {}
    return iter([Native(member=path.name, data=path.read_bytes())]), {"": fields} if fields else {}


def _of_folder(root: Path) -> tuple[Iterator[Native], dict[str, dict[str, str]]]:
    def fail(error: OSError) -> None:
        msg = f"cannot be read: {error.filename}: {error.strerror}. Mend that and audit it again."
        raise WheelError(msg) from error

    files = sorted(Path(folder) / name for folder, _, names in os.walk(root, onerror=fail) for name in names)
    manifests = {}
    for path in files:
        if path.name == "MANIFEST" and path.is_file() and (fields := _fields(path.read_bytes()[:_LARGEST_MANIFEST])):
            folder = path.parent.relative_to(root).as_posix()
            manifests["" if folder == "." else folder] = fields

    def found() -> Iterator[Native]:
        for path in files:
            member = path.relative_to(root).as_posix()
            try:
                # Neither pipes nor links that lead nowhere; what a link leads to is loaded through it.
                each = _native(member, _head(path), path.read_bytes) if path.is_file() else None
            except OSError as error:
                each = Native(
                    member=member, broken=f"it cannot be read: {error.strerror}. Mend that and audit it again."
                )
            if each is not None:
                yield each

    return found(), manifests


def _of_archive(path: Path) -> tuple[Iterator[Native], dict[str, dict[str, str]]]:
    manifests = {}
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
            for info in infos:
                folder, _, name = info.filename.rpartition("/")
                if name == "MANIFEST" and not folder.endswith(".dist-info"):
                    with archive.open(info) as file:
                        fields = _fields(file.read(_LARGEST_MANIFEST))
                    if fields:
                        manifests[folder] = fields
    except DAMAGE as error:
        msg = f"cannot be read as a wheel: {str(error) or type(error).__name__}. Build it again, or leave it out."
        raise WheelError(msg) from error

    def found() -> Iterator[Native]:
        with zipfile.ZipFile(path) as archive:
            for info in infos:
                each: Native | None
                try:
                    with archive.open(info) as file:
                        head = file.read(_HEAD)
                    each = _native(info.filename, head, lambda info=info: archive.read(info))  # type: ignore[misc] # mypy cannot infer a lambda with a default
                except DAMAGE as error:
                    what = f"it cannot be read: {str(error) or type(error).__name__}. Build the wheel again."
                    each = Native(member=info.filename, broken=what)
                if each is not None:
                    yield each

    return found(), manifests


def _fields(data: bytes) -> dict[str, str]:
    """Return the fields of a MANIFEST of ours, {} of another file of that name."""
    pairs = (line.partition(":") for line in data.decode("utf-8", "replace").splitlines())
    fields = {key.strip(): value.strip() for key, _, value in pairs if key.strip()}
    return fields if fields.keys() & {"Manifest-Version", "Classifier"} else {}
