"""Wheels as files: their names, with PEP 825's label, what is in them, and writing one so that equal inputs give equal bytes.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/, https://peps.python.org/pep-0825/
"""

from __future__ import annotations

import base64
import collections
import csv
import dataclasses
import email.parser
import email.policy
import functools
import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from variantkit.errors import WheelError
from variantkit.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from email.message import Message
    from pathlib import Path

    from packaging.tags import Tag

__all__ = ["LABEL", "Entry", "Wheel", "WheelName", "find_wheels", "record_hash", "write_wheel"]

LABEL = re.compile(r"[0-9a-z_.]+")
"""What a label may be; match the whole of it."""

_SMALL = 1 << 20

_FIRST_TIME = (1980, 1, 1, 0, 0, 0)

# `packaging` lets more pass, blanks and # among it, which would have to be escaped wherever a name is written.
_DISTRIBUTION = r"[A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?"
_TAGS = r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*"
_NAME = re.compile(rf"{_DISTRIBUTION}-[A-Za-z0-9.!+_]+(?:-[0-9][A-Za-z0-9_.]*)?-(?![0-9]){_TAGS}-{_TAGS}-{_TAGS}")

_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")

# What zipfile raises where bytes are not what they should be, beside its own error; RuntimeError is for encrypted files.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WheelName:
    """The parts of a wheel's file name, as they stand there."""

    distribution: str
    version: str
    build: str = ""
    python: str
    abi: str
    platform: str
    label: str = ""

    @classmethod
    @functools.lru_cache(maxsize=1 << 16)
    def parse(cls, filename: str) -> WheelName:
        """Read a file name; raise `WheelError` when it is not that of a wheel."""
        stem, dot, _ = filename.rpartition(".whl")
        parts = stem.split("-")
        label = ""
        # A build number begins with a digit and a Python tag does not, so the place of the label is not ambiguous.
        if dot and len(parts) in {6, 7} and not (len(parts) == 6 and parts[2][:1].isdigit()):
            label = parts.pop()
            if not LABEL.fullmatch(label):
                msg = f"{filename} has the label {label!r}, which may have a-z, 0-9, _ and . only. Assemble it again."
                raise WheelError(msg)
        plain = "-".join(parts)
        try:
            if not filename.endswith(".whl") or not _NAME.fullmatch(plain):
                raise InvalidWheelFilename(filename)
            parse_wheel_filename(f"{plain}.whl")
        except ValueError as error:  # InvalidWheelFilename is one; a number of thousands of digits is a plain one
            msg = f"{filename} is not the name of a wheel. Build it again, or leave it out."
            raise WheelError(msg) from error
        build = parts.pop(2) if len(parts) == 6 else ""
        distribution, version, python, abi, platform = parts
        return cls(
            distribution=distribution,
            version=version,
            build=build,
            python=python,
            abi=abi,
            platform=platform,
            label=label,
        )

    @property
    def filename(self) -> str:
        """The file name of these parts."""
        parts = (self.distribution, self.version, self.build, self.python, self.abi, self.platform, self.label)
        return "-".join(part for part in parts if part) + ".whl"

    @property
    def project(self) -> str:
        """The normalised name of the distribution, as an index spells it."""
        return str(canonicalize_name(self.distribution))

    @property
    def tags(self) -> frozenset[Tag]:
        """The PEP 425 tags."""
        return parse_wheel_filename(dataclasses.replace(self, label="", build="").filename)[3]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of a wheel."""

    data: bytes
    executable: bool = False


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A wheel on disk; everything is read when it is asked for, and a damaged archive is a `WheelError`."""

    path: Path

    @functools.cached_property
    def name(self) -> WheelName:
        """The parts of its file name."""
        return WheelName.parse(self.path.name)

    @functools.cached_property
    def files(self) -> tuple[str, ...]:
        """The names of its files, in the order of the archive."""
        return tuple(info.filename for info in self._infos if not info.filename.endswith("/"))

    @functools.cached_property
    def dist_info(self) -> str:
        """The name of its `.dist-info` directory."""
        found = {name.partition("/")[0] for name in self.files if name.partition("/")[0].endswith(".dist-info")}
        if len(found) != 1:
            msg = f"{self.path} has {len(found)} .dist-info directories, and a wheel has one. Build it again."
            raise WheelError(msg)
        return found.pop()

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        if "_contents" in self.__dict__ and name in self._contents:
            return self._contents[name].data
        with self._open() as archive:
            try:
                info = archive.getinfo(name)
            except KeyError as error:
                msg = f"{self.path} has no {name}. Build it again."
                raise WheelError(msg) from error
            return self._content(archive, info)

    @functools.cached_property
    def metadata_bytes(self) -> bytes:
        """METADATA as it is in the wheel."""
        return self.read(f"{self.dist_info}/METADATA")

    @functools.cached_property
    def metadata(self) -> Message:
        """METADATA, parsed."""
        try:
            return email.parser.Parser(policy=email.policy.compat32).parsestr(self.metadata_bytes.decode())
        except UnicodeDecodeError as error:
            msg = f"{self.path} has METADATA that is not text: {error}. Build it again."
            raise WheelError(msg) from error

    @functools.cached_property
    def entries(self) -> dict[str, Entry]:
        """All files but RECORD, with their content."""
        record = f"{self.dist_info}/RECORD"
        return {name: entry for name, entry in self._contents.items() if name != record}

    @functools.cached_property
    def _contents(self) -> dict[str, Entry]:
        contents = {}
        with self._open() as archive:
            for info in archive.infolist():
                if not info.filename.endswith("/"):
                    data = self._content(archive, info)
                    contents[info.filename] = Entry(data=data, executable=bool(info.external_attr >> 16 & 0o111))
        return contents

    @functools.cached_property
    def _infos(self) -> tuple[zipfile.ZipInfo, ...]:
        with self._open() as archive:
            return tuple(archive.infolist())

    @functools.cached_property
    def time(self) -> tuple[int, int, int, int, int, int]:
        """The latest time stamp in it, which is that of the sources where SOURCE_DATE_EPOCH was respected."""
        return max((info.date_time for info in self._infos), default=_FIRST_TIME)

    @functools.cached_property
    def manifests(self) -> dict[str, dict[str, str]]:
        """The fields of the MANIFEST beside each kernel library, by folder."""
        found = {}
        for name in self.files:
            folder, _, file = name.rpartition("/")
            if file == "MANIFEST" and not folder.endswith(".dist-info"):
                lines = self.read(name).decode("utf-8", "replace").splitlines()
                pairs = (line.partition(":") for line in lines if line.strip())
                found[folder] = {key.strip(): value.strip() for key, _, value in pairs}
        return found

    @functools.cached_property
    def variant_json(self) -> dict[str, Any] | None:
        """The document of PEP 825, or None in a plain wheel."""
        name = f"{self.dist_info}/variant.json"
        if name not in self.files:
            return None
        try:
            document: dict[str, Any] = json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            msg = f"{self.path} has a variant.json that is not JSON: {error}. Assemble it again."
            raise WheelError(msg) from error
        return document

    def defects(self) -> list[str]:
        """Return what is wrong with the archive itself: each file is compared with its line in RECORD.

        Raises `WheelError` where not even that can be done.
        """
        record = f"{self.dist_info}/RECORD"
        entries = self.entries  # RECORD is read with them
        try:
            table = csv.reader(io.StringIO(self.read(record).decode(), newline=""))
            rows = {row[0]: row[1] for row in table if len(row) == 3}
        except (UnicodeDecodeError, csv.Error) as error:
            msg = f"{self.path} has a RECORD that cannot be read: {error}. Build it again."
            raise WheelError(msg) from error
        signatures = {f"{record}.jws", f"{record}.p7s"}
        defects = [f"{name} is in RECORD and not in the wheel" for name in sorted(set(rows) - set(self.files))]
        defects += [f"{name} leads out of the wheel" for name in self.files if _OUTSIDE.search(name)]
        counts = collections.Counter(self.files)
        defects += [f"{name} is there twice" for name in sorted(counts) if counts[name] > 1]
        for name, entry in entries.items():
            if name in signatures:
                continue
            if name not in rows:
                defects.append(f"{name} is not in RECORD")
            elif rows[name] != record_hash(entry.data):
                defects.append(f"{name} does not have the hash that RECORD says")
        return defects

    def _open(self) -> zipfile.ZipFile:
        try:
            # An archive is read in dozens of small steps, which are what thousands of small wheels cost.
            small = self.path.stat().st_size <= _SMALL
            return zipfile.ZipFile(io.BytesIO(self.path.read_bytes()) if small else self.path)
        except _DAMAGE as error:
            msg = f"{self.path} cannot be read as a wheel: {error}. Build it again, or leave it out."
            raise WheelError(msg) from error

    def _content(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            msg = f"{self.path} has {info.filename} compressed in a way that not every installer reads. Build it again."
            raise WheelError(msg)
        try:
            return archive.read(info)
        except _DAMAGE as error:
            msg = f"{self.path} is damaged at {info.filename}: {error}. Build it again."
            raise WheelError(msg) from error


def find_wheels(paths: Iterable[Path]) -> list[Wheel]:
    """Return the wheels that are named, and those in the directories that are; raise `WheelError` for one not there."""
    found: dict[Path, Wheel] = {}
    for path in paths:
        if not path.exists():
            msg = f"{path} is not there. Name wheels, or directories of wheels."
            raise WheelError(msg)
        for wheel in sorted(path.glob("*.whl")) if path.is_dir() else [path]:
            found.setdefault(wheel.resolve(), Wheel(wheel))
    return list(found.values())


def record_hash(data: bytes) -> str:
    """Return a hash as RECORD spells it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def write_wheel(
    path: Path, entries: Mapping[str, Entry], dist_info: str, time: tuple[int, int, int, int, int, int]
) -> bool:
    """Write a wheel of `entries` and a RECORD of them; return whether the file changed.

    Sorted, with the metadata at the end as the specification recommends; the same entries and time give the same bytes.
    """
    record = f"{dist_info}/RECORD"
    names = sorted(entries, key=lambda name: (name.startswith(f"{dist_info}/"), name))
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    for name in names:
        rows.writerow([name, record_hash(entries[name].data), len(entries[name].data)])
    rows.writerow([record, "", ""])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in [*names, record]:
            entry = entries[name] if name != record else Entry(data=table.getvalue().encode())
            info = zipfile.ZipInfo(name, time)
            info.create_system = 3  # Unix, wherever this runs
            info.external_attr = (0o100755 if entry.executable else 0o100644) << 16
            archive.writestr(info, entry.data, zipfile.ZIP_DEFLATED, 9)
    return write_atomically(path, buffer.getvalue())
