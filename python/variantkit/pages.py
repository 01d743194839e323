"""The pages of a simple repository: HTML (PEP 503) and JSON (PEP 691, 700), with what came after them.

Metadata beside the wheels is PEP 658 and 714, yanked files are PEP 592, attestations are PEP 740.
https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import dataclasses
import functools
import html
import json
import urllib.parse
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from variantkit.errors import IndexingError, WheelError
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "VARIANTS_SUFFIX",
    "File",
    "project_html",
    "project_json",
    "read_project",
    "root_html",
    "root_json",
    "version_of",
]

VARIANTS_SUFFIX = "-variants.json"
"""How the file with the variants of a release ends (PEP 825)."""

_API = "1.3"


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
    """A file of a project. `yanked` is None, or the reason; `core_metadata` is the hash of the METADATA beside it."""

    filename: str
    sha256: str
    size: int
    requires_python: str | None = None
    core_metadata: str | None = None
    yanked: str | None = None
    upload_time: str | None = None
    provenance: str | None = None

    @property
    def place(self) -> str:
        """Where it lies in the repository: by its hash, so that a name never means two contents."""
        return f"files/{self.sha256[:2]}/{self.sha256[2:]}/{self.filename}"


@functools.lru_cache(maxsize=1 << 16)
def version_of(filename: str) -> str:
    """Return the version in the name of a wheel, an sdist or a file of variants; raise `IndexingError` for another."""
    try:
        if filename.endswith(VARIANTS_SUFFIX):
            return str(Version(filename.removesuffix(VARIANTS_SUFFIX).rpartition("-")[2]))
        if filename.endswith(".whl"):
            return str(Version(WheelName.parse(filename).version))
        return str(parse_sdist_filename(filename)[1])
    except (InvalidSdistFilename, InvalidVersion, WheelError) as error:
        msg = f"{filename} is neither a wheel nor an sdist. Leave it out."
        raise IndexingError(msg) from error


def project_json(name: str, files: Iterable[File]) -> str:
    """Return the page of a project as JSON."""
    files = list(files)
    versions = sorted({version_of(file.filename) for file in files}, key=Version)
    document = {
        "meta": {"api-version": _API},
        "name": name,
        "versions": versions,
        "files": [_entry(file) for file in files],
    }
    return json.dumps(document, separators=(",", ":")) + "\n"


def _entry(file: File) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": _address(file),
        "hashes": {"sha256": file.sha256},
        "size": file.size,
    }
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.core_metadata:
        # The second spelling is what pip read before PEP 714.
        entry["core-metadata"] = entry["dist-info-metadata"] = {"sha256": file.core_metadata}
    if file.yanked is not None:
        entry["yanked"] = file.yanked or True
    if file.upload_time:
        entry["upload-time"] = file.upload_time
    if file.provenance:
        entry["provenance"] = file.provenance
    return entry


def read_project(text: str) -> list[File]:
    """Return the files of a page that `project_json` wrote; raise `IndexingError` where it is damaged."""
    try:
        document = json.loads(text)
        return [
            File(
                filename=entry["filename"],
                sha256=entry["hashes"]["sha256"],
                size=entry["size"],
                requires_python=entry.get("requires-python"),
                core_metadata=entry.get("core-metadata", {}).get("sha256"),
                yanked=_reason(entry.get("yanked", False)),
                upload_time=entry.get("upload-time"),
                provenance=entry.get("provenance"),
            )
            for entry in document["files"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"A page of the index is damaged: {error!r}. Publish into a new place."
        raise IndexingError(msg) from error


def _reason(yanked: bool | str) -> str | None:
    return (yanked if isinstance(yanked, str) else "") if yanked else None


def project_html(name: str, files: Iterable[File]) -> str:
    """Return the page of a project as HTML."""
    return _page(f"Links for {name}", [_anchor(file) for file in files])


def _address(file: File) -> str:
    # The + of a local version is a space for who reads an address as a form.
    return f"../../{urllib.parse.quote(file.place)}"


def _anchor(file: File) -> str:
    attributes = {
        "href": f"{_address(file)}#sha256={file.sha256}",
        "data-requires-python": file.requires_python,
        "data-core-metadata": file.core_metadata and f"sha256={file.core_metadata}",
        "data-dist-info-metadata": file.core_metadata and f"sha256={file.core_metadata}",
        "data-provenance": file.provenance,
    }
    words = [f'{key}="{html.escape(value)}"' for key, value in attributes.items() if value]
    if file.yanked is not None:
        words.append(f'data-yanked="{html.escape(file.yanked)}"')
    return f"<a {' '.join(words)}>{html.escape(file.filename)}</a><br>"


def root_html(projects: Iterable[str]) -> str:
    """Return the list of projects as HTML."""
    return _page("Simple index", [f'<a href="{html.escape(name)}/">{html.escape(name)}</a><br>' for name in projects])


def root_json(projects: Iterable[str]) -> str:
    """Return the list of projects as JSON."""
    document = {"meta": {"api-version": _API}, "projects": [{"name": name} for name in projects]}
    return json.dumps(document, separators=(",", ":")) + "\n"


def _page(title: str, lines: list[str]) -> str:
    head = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="pypi:repository-version" content="{_API}"><title>{html.escape(title)}</title></head><body>'
    )
    return "\n".join([head, *lines, "</body></html>"]) + "\n"
