"""Archives and compressed files within a wheel or a folder: native files in them are executed, and nobody audits them there.

Only what begins like one is looked into, as far as it takes to know whether a native file is in it, and never further than
`MOST_UNPACKED` bytes unpacked for all of a wheel.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import itertools
import lzma
import sys
import tarfile
import tempfile
import zipfile
from typing import IO, TYPE_CHECKING, Any

from variantkit.audit.binary import format_of
from variantkit.check.contents import DAMAGE

if sys.version_info >= (3, 14):
    from compression import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["HEAD", "MOST_UNPACKED", "SHORT", "Budget", "hidden"]

HEAD = 512
"""How many bytes of a file it takes to see what it is: a block of a tar archive."""
MOST_UNPACKED = 512 << 20
SHORT = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""How members of a zip archive may be packed; of the other ways, `zipfile` unpacks without an end what it has read."""

_DEEPEST = 6  # a .tar.gz is two
_MOST = 20  # of one archive that are named
_CHUNK = 1 << 20
_LEAST = 4096  # what a member costs at least, so that there is an end to very many small ones
_MEMORY = 256 << 20  # the header of an xz stream can ask for gigabytes

_BEGINNINGS = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PK\x07\x08": "zip",
    b"#!": "script",  # which may have an archive behind it: zipapps, PEX
    b"\x1f\x8b\x08": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"MSCF\0\0\0\0": "cab",
    b"\x04\x22\x4d\x18": "lz4",
}
_BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")  # what comes after "BZh9": a block, or the end of an empty stream
_INSTEAD = "Lay the native files in it into the wheel as they are."
_PACKED = "it is in an archive, and is executed after it was unpacked. Lay it into the wheel as it is."
_COMPRESSED = "it is compressed, and is executed after it was unpacked. Lay it into the wheel as it is."


class _TooMuchError(Exception):
    """Too much would have to be unpacked to know what is in an archive."""


class Budget:
    """How much may still be unpacked of what lies in one wheel or folder."""

    def __init__(self) -> None:
        self._left = MOST_UNPACKED

    def take(self, size: int) -> None:
        """Count bytes that were unpacked; raise where they are too many."""
        self._left -= size
        if self._left < 0:
            raise _TooMuchError


def _archive_of(head: bytes) -> str:
    """Return what kind of archive begins so, "" where it is none; `HEAD` bytes are needed for all of them."""
    for beginning, kind in _BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head[:3] == b"BZh" and head[4:10] in _BZIP2:
        return "bzip2"
    try:
        tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "replace")
    except (tarfile.HeaderError, ValueError, LookupError):  # without a checksum that is right, it is no tar archive
        return ""
    return "tar"


def hidden(member: str, head: bytes, read: Callable[[], IO[bytes]], budget: Budget) -> Iterator[tuple[str, str]]:
    """Return the native files in an archive, as "outer.zip!inner.so", each with why it was not audited.

    `read` opens the file at its beginning. There is nothing to say of archives without native files.
    """
    if not _archive_of(head):
        return
    found = _hidden(member, head, read, budget)
    yield from itertools.islice(found, _MOST)
    if next(found, None) is not None:
        yield member, f"it has more than these {_MOST} native files, which were not looked for. {_INSTEAD}"


def _hidden(member: str, head: bytes, read: Callable[[], IO[bytes]], budget: Budget) -> Iterator[tuple[str, str]]:
    try:
        with read() as file:
            yield from _look(member, head, file, budget, 0)
    except _TooMuchError:
        yield member, f"there is more to unpack than the {MOST_UNPACKED >> 20} MiB that are looked through. {_INSTEAD}"
    except (*DAMAGE, MemoryError) as error:
        what = str(error) or type(error).__name__
        yield member, f"it is an archive that cannot be read: {what}. Mend it, or leave it out."


def _look(member: str, head: bytes, file: Any, budget: Budget, depth: int) -> Iterator[tuple[str, str]]:
    """Return what is in an archive; `file` is at its beginning, and need not be one that can be searched."""
    kind = _archive_of(head)
    if not kind:
        return
    if depth == _DEEPEST:
        yield member, f"it is packed more than {_DEEPEST} times, and was not opened. {_INSTEAD}"
    elif kind in {"zip", "script"}:
        with _seekable(file, budget) as copy:
            if kind == "zip" or zipfile.is_zipfile(copy):
                yield from _zip(member, copy, budget, depth)
    elif kind == "tar":
        yield from _tar(member, file, budget, depth)
    elif (unpacked := _unpacked(kind, file)) is None:
        yield member, f"it is {kind}, which is not unpacked here. {_INSTEAD}"
    else:
        first = _Counted(unpacked, budget).head()
        if format_of(first) is not None:
            yield member, _COMPRESSED
        yield from _look(member, first, _Counted(unpacked, budget, first), budget, depth + 1)


def _zip(member: str, file: IO[bytes], budget: Budget, depth: int) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.filename.endswith("/"):
                continue
            budget.take(_LEAST)
            if info.compress_type not in SHORT:
                yield (
                    f"{member}!{info.filename}",
                    f"it is neither stored nor deflated, and not unpacked here. {_INSTEAD}",
                )
                continue
            with archive.open(info) as inner:
                yield from _member(f"{member}!{info.filename}", inner, budget, depth)


def _tar(member: str, file: Any, budget: Budget, depth: int) -> Iterator[tuple[str, str]]:
    # As a stream: what was passed is not kept, and nothing needs to be searched.
    with tarfile.open(fileobj=file, mode="r|") as archive:
        for info in archive:
            budget.take(_LEAST)
            inner = archive.extractfile(info) if info.isreg() else None
            if inner is not None:
                yield from _member(f"{member}!{info.name}", inner, budget, depth)


def _member(name: str, file: Any, budget: Budget, depth: int) -> Iterator[tuple[str, str]]:
    head = _Counted(file, budget).head()
    if format_of(head) is not None:
        yield name, _PACKED
    yield from _look(name, head, _Counted(file, budget, head), budget, depth + 1)


@contextlib.contextmanager
def _seekable(file: Any, budget: Budget) -> Iterator[IO[bytes]]:
    """Give a file that can be searched, as a zip archive has to be: its list of members is at its end."""
    if isinstance(file, io.BufferedReader):
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        while chunk := file.read(_CHUNK):
            budget.take(len(chunk))
            copy.write(chunk)
        copy.seek(0)
        yield copy


def _unpacked(kind: str, file: Any) -> Any:
    """Return the content of a compressed file, None where nothing here unpacks it."""
    if kind == "gzip":
        return gzip.GzipFile(fileobj=file)
    if kind == "bzip2":
        return bz2.BZ2File(file)
    if kind == "xz":
        return _Xz(file)
    if kind == "zstd" and sys.version_info >= (3, 14):
        return zstd.ZstdFile(file)
    return None


class _Counted:
    """Reads a file whose first bytes were read already, and counts what comes out of it."""

    def __init__(self, file: Any, budget: Budget, first: bytes = b"") -> None:
        self._file, self._budget, self._first = file, budget, first

    def read(self, size: int = _CHUNK) -> bytes:
        if self._first:
            first, self._first = self._first[:size], self._first[size:]
            return first
        data: bytes = self._file.read(min(size, _CHUNK))
        self._budget.take(len(data))
        return data

    def head(self) -> bytes:
        """Return the first bytes, all that `_archive_of` needs where there are as many."""
        head = b""
        while len(head) < HEAD and (more := self.read(HEAD - len(head))):
            head += more
        return head


class _Xz:
    """Reads an xz stream with a limit on memory, which `lzma.LZMAFile` does not have."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)

    def read(self, size: int) -> bytes:
        while True:
            ended, packed = self._stream.eof, b""
            if ended:  # another stream may follow, and zeros before it
                packed = (self._stream.unused_data.lstrip(b"\0") or self._file.read(_CHUNK)).lstrip(b"\0")
                if not packed:
                    return b""
                self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
            elif self._stream.needs_input:
                packed = self._file.read(_CHUNK)
                if not packed:
                    msg = "it ends too early"
                    raise EOFError(msg)
            if unpacked := self._stream.decompress(packed, size):
                return unpacked
