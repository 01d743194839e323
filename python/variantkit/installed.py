"""Find the installed classifiers by the names in the catalogue; nothing is scanned, and nothing is imported.

A classifier's library lies in the package itself (`<package>/classifiers/<name>/`: the base, or a variant wheel) or in an
import package of its own (`<package>_<label>/`), beside a MANIFEST of `Key: value` lines. An editable install has the
first of these in site-packages, while the package's Python files are elsewhere; so both are looked for in every folder.
"""

from __future__ import annotations

import os
import sys
from stat import S_ISDIR, S_ISREG

from variantkit.select import Installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from variantkit.catalogue import Catalogue, Classifier

__all__ = ["find", "read_manifest", "search_folders"]

_KEYS = ("Manifest-Version", "Distribution", "Classifier", "Version", "ABI", "Library", "Size", "SHA256")
_SIZE_DIGITS = 18  # no file is larger, and int() refuses thousands of digits


def find(
    catalogue: Catalogue,
    package_dir: str,
    search_path: Sequence[str] | None = None,
    *,
    package_path: Sequence[str] = (),
) -> tuple[Installed, ...]:
    """Return what is installed, in the order of the catalogue; a damaged one with its defect.

    `package_dir` is the folder of the customer's package, `package_path` its `__path__` where it consists of several
    folders; `search_path` replaces `sys.path`.
    """
    folders = search_folders(package_dir, sys.path if search_path is None else search_path)
    packages = [package_dir, *package_path]
    found = []
    for row in catalogue.classifiers:
        candidates = [(os.path.join(folder, "classifiers", row.name), "base") for folder in packages]
        for folder in folders:
            candidates.append((os.path.join(folder, f"{catalogue.package}_{row.label}"), "wheel"))
            candidates.append((os.path.join(folder, catalogue.package, "classifiers", row.name), "base"))
        item = _first(catalogue, row, dict.fromkeys(candidates))
        if item is not None:
            found.append(item)
    return tuple(found)


def search_folders(package_dir: str, path: Iterable[object]) -> list[str]:
    """Return the folders to look into: beside the package, then the absolute entries of the path.

    The current directory is never searched for being current: whoever can write there could plant a library (llama.cpp does
    search it), and `python -m` writes it into the path as an absolute entry. It is searched where the package itself lies
    in it, as in an unpacked application, where the entry is called site-packages or dist-packages, and where PYTHONPATH
    has it as an absolute path. Entries that are no folders are passed over, as the import system does.
    """
    parent = os.path.dirname(os.path.abspath(package_dir))
    folders = [parent]
    try:
        here = os.stat(".")
    except OSError:
        here = None
    for entry in path:
        if not isinstance(entry, str) or not os.path.isabs(entry) or entry in folders:
            continue
        try:
            status = os.stat(entry)
        except (OSError, ValueError):  # ValueError: a NUL, or a letter that no file name can have
            continue
        if here is None or not os.path.samestat(status, here) or _is_meant(entry):
            folders.append(entry)
    return folders


def _is_meant(entry: str) -> bool:
    """Return whether an absolute entry of the path is there for another reason than being the current directory."""
    folder = os.path.normpath(entry)
    if os.path.basename(folder) in ("site-packages", "dist-packages"):
        return True
    # A relative or an empty item means the current directory, and is not told apart in sys.path.
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return any(os.path.isabs(item) and os.path.normpath(item) == folder for item in named)


def read_manifest(path: str) -> dict[str, str]:
    """Read the `Key: value` lines of a MANIFEST.

    Raises OSError where it cannot be read, and ValueError, with a reason, where it is damaged.
    """
    mode = os.stat(path).st_mode
    # Opening a pipe would wait for who writes into it; a folder says itself that it is none.
    if not S_ISREG(mode) and not S_ISDIR(mode):
        msg = "its MANIFEST is not a file, but a pipe, a socket or a device"
        raise ValueError(msg)
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    values = {}
    for line in lines:
        if line.strip():
            key, colon, value = line.partition(":")
            if not colon:
                msg = f"its MANIFEST has the line {line[:60]!r}, which is not `Key: value`"
                raise ValueError(msg)
            values[key.strip()] = value.strip()
    absent = [key for key in _KEYS if not values.get(key)]
    if absent:
        msg = f"its MANIFEST has no {', '.join(absent)}"
        raise ValueError(msg)
    if values["Manifest-Version"].split(".")[0] != "1":
        msg = f"its MANIFEST is of version {values['Manifest-Version']}, and only 1 can be read"
        raise ValueError(msg)
    size = values["Size"]
    if not size.isascii() or not size.isdigit() or len(size) > _SIZE_DIGITS:
        msg = f"its MANIFEST says Size: {size[:60]}, which is not a number of bytes"
        raise ValueError(msg)
    # A path in there could name any library of the machine.
    if os.path.basename(values["Library"]) != values["Library"] or values["Library"] in (".", ".."):
        msg = f"its MANIFEST says Library: {values['Library']}, which is not a plain file name"
        raise ValueError(msg)
    return values


def _first(catalogue: Catalogue, row: Classifier, candidates: Iterable[tuple[str, str]]) -> Installed | None:
    """Return the first that can be used; where none can, the first that is there."""
    first = None
    for folder, origin in candidates:
        item = _read(catalogue, row, folder, origin)
        if item is not None:
            if not item.defect and item.version == catalogue.version:
                return item
            first = first or item
    return first


def _read(catalogue: Catalogue, row: Classifier, folder: str, origin: str) -> Installed | None:
    def defective(why: str) -> Installed:
        return Installed(classifier=row.name, version="", abi="", path=folder, size=0, origin=origin, defect=why)

    try:
        values = read_manifest(os.path.join(folder, "MANIFEST"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return defective(f"its MANIFEST cannot be read: {error.strerror}")
    except ValueError as error:  # UnicodeDecodeError is one
        return defective(str(error) if type(error) is ValueError else "its MANIFEST is not text")
    for key, expected in (("Distribution", catalogue.distribution), ("Classifier", row.name)):
        if values[key] != expected:
            return defective(f"its MANIFEST says {key}: {values[key]}, where {expected} was expected")
    path = os.path.join(folder, values["Library"])
    return Installed(
        classifier=row.name,
        version=values["Version"],
        abi=values["ABI"],
        path=path,
        size=int(values["Size"]),
        sha256=values["SHA256"],
        origin=origin,
        defect=_defect(path, int(values["Size"])),
    )


def _defect(path: str, size: int) -> str:
    # The dynamic loader maps a truncated file and dies by SIGBUS when it touches what is missing.
    try:
        status = os.stat(path)
    except OSError as error:
        return f"its library {os.path.basename(path)} cannot be found: {error.strerror}"
    except ValueError as error:  # a NUL, or a letter that no file name can have
        return f"its library {os.path.basename(path)!r} cannot be found: {error}"
    if not S_ISREG(status.st_mode):
        return f"its library {os.path.basename(path)} is not a file"
    if status.st_size != size:
        return (
            f"its library {os.path.basename(path)} is damaged: {status.st_size} bytes, where its MANIFEST says {size}"
        )
    return ""
