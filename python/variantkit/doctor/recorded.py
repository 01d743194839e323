"""An installed distribution against its RECORD: files that are missing, are others, or that a broken RECORD does not list."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.doctor.facts import Damage
from variantkit.doctor.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib import metadata

__all__ = ["damage", "read"]

_NO_TEXT = "is not UTF-8 text"
_LIBRARIES = (".so", ".dylib", ".dll")


def read(item: metadata.Distribution, file: str) -> tuple[str | None, str]:
    """Return the text of a file of a .dist-info, None where there is none, and why it cannot be read, or "".

    Of what is no text, the lines that are come back.
    """
    place = getattr(item, "_path", None)
    try:
        if not isinstance(place, Path):  # in an archive
            return item.read_text(file), ""
        path = place / file
        if path.exists() and not path.is_file():  # opening a pipe would wait for who writes into it
            return None, "is not a file"
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):  # an .egg-info may be a file
        return None, ""
    except UnicodeDecodeError:
        return None, _NO_TEXT
    except (OSError, ValueError) as error:
        return None, f"cannot be read: {getattr(error, 'strerror', None) or error}"
    try:
        return data.decode(), ""
    except UnicodeDecodeError:
        lines = data.decode(errors="replace").splitlines()
        return "\n".join(line for line in lines if "\ufffd" not in line), _NO_TEXT


def damage(item: metadata.Distribution, folder: str, info: str, package: str) -> tuple[Damage, ...] | None:
    """Return what is not as RECORD says, and what is wrong with RECORD; None where there is none.

    `folder` is where the distribution lies, `info` the name of its .dist-info, `package` of the folder that is its alone.
    (https://packaging.python.org/specifications/recording-installed-packages/)
    """
    text, why = read(item, "RECORD")
    if text is None and not why:
        return None
    rows: list[list[str]] = []
    try:
        rows = [row for row in csv.reader((text or "").splitlines()) if len(row) == 3 and row[0]]
    except csv.Error as error:
        why = why or f"cannot be read: {error}"
    if not why and not (text or "").strip():
        why = "is empty"
    if not why:
        named = {os.path.normcase(Path(folder, row[0])) for row in rows}
        there = [
            file for file in _belonging(folder, info, package) if os.path.normcase(Path(folder, file)) not in named
        ]
        why = f"does not list {listed(there)}" if there else ""
    record = (Damage(file=f"{info}/RECORD", path=str(Path(folder, info, "RECORD")), why=why),) if why else ()
    return (*record, *_differing(rows, folder))


def _belonging(folder: str, info: str, package: str) -> Iterator[str]:
    """Give the files that are there and that RECORD has to list."""
    if Path(folder, info, "METADATA").is_file():
        yield f"{info}/METADATA"
    if not package:
        return
    endings = (*(suffix for suffix in all_suffixes() if suffix != ".pyc"), *_LIBRARIES)
    for place, folders, files in os.walk(Path(folder, package)):
        folders.sort()
        for file in sorted(files):
            if file.endswith(endings) or file == "MANIFEST":
                yield Path(place, file).relative_to(folder).as_posix()


def _differing(rows: list[list[str]], folder: str) -> Iterator[Damage]:
    for name, digest, size in rows:
        # Scripts lie outside, and those who move an environment rewrite their first line.
        if name.endswith(".pyc") or name.startswith("..") or Path(name).is_absolute():
            continue
        file = Path(folder, name)
        if why := _differs(file, digest, size):
            yield Damage(file=name, path=str(file), why=why)


def _differs(file: Path, digest: str, size: str) -> str:
    try:
        actual = file.stat().st_size
        if not file.is_file():
            return "is not a file"
        if size.isdigit() and actual != int(size):
            return f"has {actual} bytes, where RECORD says {size}"
        algorithm, _, expected = digest.partition("=")
        if expected and algorithm in hashlib.algorithms_guaranteed:
            found = base64.urlsafe_b64encode(hashlib.new(algorithm, file.read_bytes()).digest()).rstrip(b"=").decode()
            if found != expected:
                return "has other bytes than RECORD says"
    except FileNotFoundError:
        return "is missing"
    except (OSError, ValueError, TypeError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    return ""
