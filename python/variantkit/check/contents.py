"""Wheels and sdists as the rules see them: read once from end to end, with bounded memory however large a library is.

`variantkit.wheel` reads what it is asked for, and fails at what is damaged; here damage is what is looked for.
"""

from __future__ import annotations

import base64
import collections
import csv
import dataclasses
import functools
import hashlib
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

from variantkit.check.documents import Variants, read_variants
from variantkit.check.metadata import Metadata, parse_metadata
from variantkit.errors import WheelError

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.wheel import WheelName

__all__ = ["DAMAGE", "Contents", "Member", "Sdist", "file_hash", "read_sdist", "read_wheel"]

DAMAGE = (
    OSError, EOFError, LookupError, RuntimeError, ValueError, OverflowError, struct.error, zipfile.BadZipFile, tarfile.TarError,
    zlib.error, lzma.LZMAError,
)  # fmt: skip
"""All that archives which somebody has damaged, or made to do damage, raise while they are read."""

_CHUNK = 1 << 20
_LARGEST_TEXT = 16 << 20
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """A file of a wheel."""

    size: int
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contents:
    """A wheel; `texts` has the content of metadata and MANIFESTs, and the last two what is wrong with the archive."""

    path: Path
    name: WheelName
    size: int
    members: dict[str, Member]
    texts: dict[str, bytes]
    dist_info: str
    metadata: Metadata
    bad_entries: tuple[str, ...]
    bad_record: tuple[str, ...]

    @functools.cached_property
    def sha256(self) -> str:
        """The hash of the wheel itself."""
        return file_hash(self.path)

    @functools.cached_property
    def manifests(self) -> dict[str, dict[str, str]]:
        """The fields of the MANIFEST beside each kernel library, by folder."""
        found = {}
        for name, data in self.texts.items():
            folder, _, file = name.rpartition("/")
            if file == "MANIFEST" and folder != self.dist_info:
                pairs = (line.partition(":") for line in data.decode("utf-8", "replace").splitlines())
                fields = {key.strip(): value.strip() for key, _, value in pairs if key.strip()}
                if fields.keys() & {"Manifest-Version", "Classifier"}:
                    found[folder] = fields
        return found

    @functools.cached_property
    def variants(self) -> Variants | None:
        """Its variant.json, or None."""
        data = self.texts.get(f"{self.dist_info}/variant.json")
        return None if data is None else read_variants(data, self.name.label or None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sdist:
    """An sdist."""

    path: Path
    project: str
    version: str
    metadata: Metadata
    files: frozenset[str]

    @functools.cached_property
    def sha256(self) -> str:
        """The hash of the sdist itself."""
        return file_hash(self.path)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_wheel(path: Path, name: WheelName) -> Contents:
    """Read a wheel; raise `WheelError`, whose message goes on after a file name, when it is none or is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, name, archive)
    except WheelError:
        raise
    except DAMAGE as error:
        msg = f"cannot be read as a wheel: {str(error) or type(error).__name__}. Build it again, or leave it out."
        raise WheelError(msg) from error


def _read(path: Path, name: WheelName, archive: zipfile.ZipFile) -> Contents:
    # ZipInfo.is_dir() fails at a name without a letter.
    infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
    folders = {info.filename.partition("/")[0] for info in infos if "/" in info.filename}
    found = sorted(folder for folder in folders if folder.endswith(".dist-info"))
    if len(found) != 1:
        msg = f"has {len(found)} .dist-info folders, and a wheel has one. Build it again."
        raise WheelError(msg)
    dist_info = found[0]
    record = f"{dist_info}/RECORD"
    rows, bad_record = _record(archive, record)
    members: dict[str, Member] = {}
    texts: dict[str, bytes] = {}
    signatures = {record, f"{record}.jws", f"{record}.p7s"}
    for info in infos:
        method, wanted = rows.get(info.filename, (("sha256", ""), ""))[0]
        member, text, digest = _hash(archive, info, dist_info, method)
        members[info.filename] = member
        if text is not None:
            texts[info.filename] = text
        if info.filename in signatures:
            continue
        if info.filename not in rows:
            bad_record.append(f"{info.filename} is not in RECORD")
        elif wanted != digest:
            bad_record.append(f"{info.filename} does not have the hash that RECORD says")
        elif rows[info.filename][1] not in ("", str(member.size)):
            bad_record.append(f"{info.filename} does not have the size that RECORD says")
    bad_record += [f"{each} is in RECORD and not in the wheel" for each in sorted(rows.keys() - members.keys())]
    metadata = texts.get(f"{dist_info}/METADATA")
    if metadata is None:
        msg = f"has no {dist_info}/METADATA that can be read. Build it again."
        raise WheelError(msg)
    return Contents(
        path=path,
        name=name,
        size=path.stat().st_size,
        members=members,
        texts=texts,
        dist_info=dist_info,
        metadata=parse_metadata(metadata),
        bad_entries=tuple(_bad_entries(infos)),
        bad_record=tuple(bad_record),
    )


def _hash(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, dist_info: str, method: str
) -> tuple[Member, bytes | None, str]:
    """Return an entry, its content where rules want that, and its hash as RECORD spells it."""
    folder, _, file = info.filename.rpartition("/")
    kept = file == "MANIFEST" or (folder.split("/")[0] == dist_info and file != "RECORD")
    text, size = bytearray(), 0
    digest, other = hashlib.sha256(), None if method == "sha256" else _HASHES[method]()
    with archive.open(info) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            digest.update(chunk)
            if other is not None:
                other.update(chunk)
            if kept and size <= _LARGEST_TEXT:
                text += chunk
    spelled = base64.urlsafe_b64encode((other or digest).digest()).rstrip(b"=").decode()
    keep = kept and size <= _LARGEST_TEXT
    return Member(size=size, sha256=digest.hexdigest()), bytes(text) if keep else None, spelled


def _record(archive: zipfile.ZipFile, name: str) -> tuple[dict[str, tuple[tuple[str, str], str]], list[str]]:
    """Return the method and hash, and the size, that RECORD says of each file, and what is wrong with RECORD itself."""
    if name not in archive.NameToInfo:
        return {}, ["there is no RECORD"]
    with archive.open(name) as stream:
        data = stream.read(_LARGEST_TEXT + 1)
    try:
        lines = list(csv.reader(io.StringIO(data.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        return {}, [f"RECORD cannot be read: {error}"]
    rows: dict[str, tuple[tuple[str, str], str]] = {}
    wrong = []
    for number, line in enumerate(lines, 1):
        if len(line) != 3:
            wrong.append(f"line {number} of RECORD has {len(line)} fields and not 3")
            continue
        file, hashed, size = line
        method, _, value = hashed.partition("=")
        if re.fullmatch(re.escape(name) + r"(\.jws|\.p7s)?", file):
            continue
        if file in rows:
            wrong.append(f"{file} is in RECORD twice")
        if method not in _HASHES:
            wrong.append(f"{file} has no hash in RECORD, or a weaker one than SHA-256")
            method = "sha256"
        rows[file] = ((method, value), size)
    return rows, wrong


def _bad_entries(infos: list[zipfile.ZipInfo]) -> list[str]:
    names = [info.filename for info in infos]
    wrong = [f"{name} is in the archive twice" for name, count in collections.Counter(names).items() if count > 1]
    for info in infos:
        name = info.filename
        if name.startswith("/") or "\\" in name or ":" in name.split("/")[0] or ".." in name.split("/"):
            wrong.append(f"{name} would leave the folder that it is installed to")
        if stat.S_ISLNK(info.external_attr >> 16):
            wrong.append(f"{name} is a symbolic link, which installers write as a file")
    return wrong


def read_sdist(path: Path) -> Sdist:
    """Read an sdist; raise `WheelError`, whose message goes on after a file name, when it is none or is damaged."""
    try:
        project, version = parse_sdist_filename(path.name)
        with tarfile.open(path, "r:gz") as archive:
            files = frozenset(member.name for member in archive.getmembers())
            member = archive.extractfile(f"{path.name.removesuffix('.tar.gz')}/PKG-INFO")
            text = member.read(_LARGEST_TEXT) if member is not None else b""
        metadata = parse_metadata(text)
    except WheelError:
        raise
    except (InvalidSdistFilename, *DAMAGE) as error:
        msg = f"cannot be read as an sdist: {error}. Build it again, or leave it out."
        raise WheelError(msg) from error
    return Sdist(path=path, project=canonicalize_name(project), version=str(version), metadata=metadata, files=files)
