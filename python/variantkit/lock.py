"""Variant wheels in a `pylock.toml` that another tool wrote (PEP 751, PEP 825 "Integration with pylock.toml").

uv and pip lock the plain wheels only. For each locked package of which an index has variants too, those wheels are added
with their hashes, and the metadata of the variants in `[packages.variants-json]`. Nothing is resolved anew: the wheels of
the lock file have to be those of the index, so that the variants are of the very same release.

uv goes on installing the plain wheel from such a file. pip 26.3 refuses one that lists a file name it cannot read, so that
it needs the file as it was: write the other one elsewhere, `pylock.variants.toml`.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import tomlkit
from packaging.pylock import Pylock, PylockValidationError, is_valid_pylock_path
from packaging.version import Version
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from variantkit import variants
from variantkit.errors import LockError, WheelError
from variantkit.files import write_atomically
from variantkit.simple_reader import SimpleReader
from variantkit.variant_problems import problems
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from variantkit.simple_reader import ListedFile

__all__ = ["Added", "add_variants", "lock"]

_TABLE = "variants-json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Added:
    """What a package of the lock file was given."""

    name: str
    version: str
    labels: tuple[str, ...]
    wheels: int


def lock(path: Path, index: str, out: Path | None = None) -> list[Added]:
    """Add the variants of `index` to the lock file in `path`, and write it to `out`, or back.

    `index` is an address or a folder. Doing it again gives the same file. Raises `LockError` where the file is not a lock
    file, has nothing that the index has variants of, or is not about the same wheels; `IndexingError` where the index
    cannot be read.
    """
    target = path if out is None else out
    if not is_valid_pylock_path(target):
        msg = f"{target} is no name of a lock file, so that tools do not read it as one. Name it pylock.toml or pylock.NAME.toml."
        raise LockError(msg)
    if target.absolute().parent != path.absolute().parent:
        msg = f"{target} lies elsewhere than {path}, and paths in a lock file are relative to it. Write it into the same folder."
        raise LockError(msg)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}. Write one with uv or pip first."
        raise LockError(msg) from error
    changed, added = add_variants(text, SimpleReader(index), target.absolute().parent, name=str(path))
    write_atomically(target, changed)
    return added


def add_variants(
    text: str, reader: SimpleReader, folder: Path, *, name: str = "the lock file"
) -> tuple[str, list[Added]]:
    """Return the text of a lock file with variants, and what was added; `folder` is where it will lie.

    What is there already is kept to the letter, comments too. Raises the same errors as `lock`.
    """
    try:
        document = tomlkit.parse(text)
        before = document.unwrap()
        Pylock.from_dict(_without_labels(before))
    except (TOMLKitError, PylockValidationError, WheelError, AttributeError, TypeError) as error:
        msg = f"{name} is not a lock file: {error}. Write it anew with uv export, uv pip compile or pip lock."
        raise LockError(msg) from error
    wanted = copy.deepcopy(before)
    added, edits = [], []
    for number, package in enumerate(wanted["packages"]):
        found = _variants_of(package, reader, folder)
        if found is None:
            continue
        wheels, metadata = found
        package["wheels"] = [wheel for wheel in package["wheels"] if not _parsed(wheel).label] + wheels
        package.pop(_TABLE, None)
        package[_TABLE] = metadata
        edits.append((number, wheels, metadata))
        added.append(
            Added(
                name=package["name"], version=package["version"], labels=tuple(metadata["variants"]), wheels=len(wheels)
            )
        )
    if not added:
        msg = f"{reader.place} has variant wheels of nothing that is locked in {name}. Name the index that publishes them."
        raise LockError(msg)
    try:
        for number, wheels, metadata in edits:
            _write(document["packages"][number], wheels, metadata)
        changed = tomlkit.dumps(document)
        kept = tomlkit.parse(changed).unwrap() == wanted
    except TOMLKitError:
        kept = False
    if not kept:
        msg = f"{name} cannot be changed without changing what else is in it. Write it anew with uv or pip, and try again."
        raise LockError(msg)
    return changed, added


def _without_labels(document: dict[str, Any]) -> dict[str, Any]:
    """Return the lock file as one that knows of no variants would be, to be checked by those rules."""
    plain = copy.deepcopy(document)
    for package in plain.get("packages", []):
        for wheel in package.get("wheels", []):
            wheel["name"] = dataclasses.replace(_parsed(wheel), label="").filename
    return plain


def _filename(wheel: dict[str, Any]) -> str:
    place = wheel.get("path") or unquote(urlsplit(wheel.get("url", "")).path)
    return str(wheel.get("name") or place.replace("\\", "/").rpartition("/")[2])


def _parsed(wheel: dict[str, Any]) -> WheelName:
    return WheelName.parse(_filename(wheel))


def _variants_of(
    package: dict[str, Any], reader: SimpleReader, folder: Path
) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """Return the variant wheels of a locked package, as the lock file has them, and their metadata."""
    if "version" not in package or not package.get("wheels"):
        return None
    files = reader.project(package["name"]) or []
    version = Version(package["version"])
    labelled = {}
    for file in files:
        try:
            parsed = WheelName.parse(file.filename)
        except WheelError:
            continue
        if parsed.label and Version(parsed.version) == version and not file.yanked:
            labelled[file.filename] = (parsed, file)
    if not labelled:
        return None
    release = f"{package['name']} {package['version']}"
    _check_origin(release, package["wheels"], files, reader)
    metadata = _metadata(release, labelled[min(labelled)][0], files, reader)
    listed = {parsed.label for parsed, _ in labelled.values()}
    if unknown := listed - metadata["variants"].keys():
        msg = f"{reader.place} does not say what the label {min(unknown)} of {release} stands for. Publish it again."
        raise LockError(msg)
    metadata["variants"] = {label: value for label, value in metadata["variants"].items() if label in listed}
    return [_wheel(file, folder, release) for _, (_, file) in sorted(labelled.items())], metadata


def _check_origin(release: str, wheels: list[dict[str, Any]], files: list[ListedFile], reader: SimpleReader) -> None:
    """Raise `LockError` unless the wheels that are locked are those of the index."""
    hashes = {file.filename: file.sha256 for file in files}
    plain = [wheel for wheel in wheels if not _parsed(wheel).label]
    shared = [wheel for wheel in plain if _filename(wheel) in hashes]
    for wheel in shared:
        if wheel["hashes"].get("sha256") != hashes[_filename(wheel)]:
            msg = (
                f"{_filename(wheel)} is another file in the lock file than on {reader.place}: its SHA-256 differs. Lock "
                f"{release} from that index, or name the one that it was locked from."
            )
            raise LockError(msg)
    if not shared:
        msg = (
            f"None of the locked wheels of {release} is on {reader.place}, so that its variants may be of something else. "
            "Name the index that it was locked from."
        )
        raise LockError(msg)


def _metadata(release: str, wheel: WheelName, files: list[ListedFile], reader: SimpleReader) -> dict[str, Any]:
    wanted = variants.index_filename(wheel.distribution, wheel.version)
    file = next((file for file in files if file.filename == wanted), None)
    if file is None:
        msg = f"{reader.place} has variants of {release}, and no {wanted} that describes them. Publish it again."
        raise LockError(msg)
    content = reader.content(file)
    try:
        document = json.loads(content)
    except ValueError as error:
        msg = f"{file.address} is not JSON: {error}. Publish {release} again."
        raise LockError(msg) from error
    if wrong := problems(document):
        msg = f"{file.address} does not describe variants as it should: {'; '.join(wrong)}. Publish {release} again."
        raise LockError(msg)
    return dict(document)


def _wheel(file: ListedFile, folder: Path, release: str) -> dict[str, Any]:
    if file.sha256 is None:
        msg = f"{file.address} has no SHA-256 in the index, and a lock file needs one. Publish {release} again, with hashes."
        raise LockError(msg)
    place = (
        {"url": file.address} if file.path is None else {"path": Path(os.path.relpath(file.path, folder)).as_posix()}
    )
    named = {} if _filename(place) == file.filename else {"name": file.filename}
    size = {} if file.size is None else {"size": file.size}
    return {**named, **place, **size, "hashes": {"sha256": file.sha256}}


def _write(package: Table, wheels: list[dict[str, Any]], metadata: dict[str, Any]) -> None:
    """Put the variants into a package, in the form that its wheels have already: of pip, tables; of uv, a list."""
    listed = package["wheels"]
    plain = [wheel for wheel in listed if not _parsed(wheel).label]
    if isinstance(listed, AoT):
        for number in range(len(listed), len(plain), -1):
            del listed[number - 1]
        for wheel in wheels:
            table = tomlkit.item(wheel)
            table["hashes"].add(tomlkit.nl())
            listed.append(table)
    else:
        entries = [item.as_string().strip() for item in plain] + [_inline(wheel) for wheel in wheels]
        rows = "".join(f"    {entry},\n" for entry in entries)
        package["wheels"] = tomlkit.parse(f"wheels = [\n{rows}]\n")["wheels"]
    package.pop(_TABLE, None)
    package[_TABLE] = _table(metadata)


def _table(metadata: dict[str, Any]) -> Table:
    table = tomlkit.table()
    for key, value in metadata.items():
        if not isinstance(value, dict):
            table[key] = value
            continue
        rows = "".join(f"{_key(name)} = {_inline(item)}\n" for name, item in value.items())
        table[key] = tomlkit.parse(f"[table]\n{rows}\n")["table"]
    return table


def _inline(value: Any) -> str:
    """Return a value as TOML in one line; strings in JSON are strings in TOML."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_inline(item)}' for key, item in value.items())} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return (
        name
        if name and all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in name)
        else json.dumps(name)
    )
