"""A published index as it is on disk: its pages, HTML and JSON, read without trusting them.

https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import dataclasses
import html.parser
import os
import urllib.parse
from pathlib import Path
from typing import Any

from variantkit.check.documents import is_strings, load
from variantkit.check.registry import Problem

__all__ = ["Index", "Listed", "Page", "is_index", "read_index"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listed:
    """A file as a page lists it; `yanked` is None or the reason, hashes are without "sha256="."""

    filename: str
    url: str
    sha256: str | None
    requires_python: str | None = None
    core_metadata: str | None = None
    yanked: str | None = None
    provenance: str | None = None
    size: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """The page of a project: its files as JSON has them, and as HTML has them; None where that cannot be read."""

    project: str
    folder: Path
    files: tuple[Listed, ...] | None
    anchors: tuple[Listed, ...] | None
    versions: tuple[str, ...] | None = None

    @property
    def listed(self) -> tuple[Listed, ...]:
        """The files, from the page that can be read."""
        return self.files if self.files is not None else self.anchors or ()

    def target(self, url: str) -> Path | None:
        """Return the file that an address on this page means, or None where it leads out of the index."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme or parts.netloc or parts.path.startswith("/"):
            return None
        # As a browser does it: by the text of the address, whatever is a link on disk.
        path = Path(os.path.normpath(self.folder / urllib.parse.unquote(parts.path)))
        return path if self.folder.parent.parent in path.parents else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Index:
    """All pages, what the root pages list, and what is wrong with them."""

    folder: Path
    pages: tuple[Page, ...]
    root_json: tuple[str, ...] | None
    root_html: tuple[str, ...] | None
    problems: tuple[Problem, ...]


def is_index(path: Path) -> bool:
    """Return whether a folder is a published index."""
    return (path / "simple").is_dir()


def read_index(folder: Path) -> Index:
    """Read all pages of the index in `folder`; what cannot be read is among its problems."""
    problems: list[Problem] = []
    simple = folder / "simple"
    # One generation of the pages, also when another one is published meanwhile.
    now = simple.resolve()
    pages = [_page(path, simple / path.name, problems) for path in sorted(now.iterdir()) if path.is_dir()]
    return Index(
        folder=folder,
        pages=tuple(pages),
        root_json=_root(now / "index.json", simple / "index.json", problems),
        root_html=_root(now / "index.html", simple / "index.html", problems),
        problems=tuple(problems),
    )


def _root(path: Path, shown: Path, problems: list[Problem]) -> tuple[str, ...] | None:
    text = _text(path, shown, problems)
    if text is None:
        return None
    if path.suffix == ".html":
        return tuple(anchor["href"].rstrip("/") for anchor, _ in _anchors(text) if anchor.get("href"))
    document = _document(text, shown, problems)
    entries = document.get("projects") if document is not None else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(Problem(shown, "it has no list of projects"))
        return None
    names = [entry.get("name") for entry in entries]
    if not is_strings(names):
        problems.append(Problem(shown, "it has a project without a name"))
        return None
    return tuple(map(str, names))


def _page(path: Path, folder: Path, problems: list[Problem]) -> Page:
    files = versions = None
    if (text := _text(path / "index.json", folder / "index.json", problems)) is not None:
        document = _document(text, folder / "index.json", problems)
        if document is not None:
            files = _files(document, folder / "index.json", problems)
            versions = tuple(document["versions"]) if is_strings(document.get("versions")) else None
            if document.get("name") != path.name:
                problems.append(Problem(folder / "index.json", f"it is the page of {document.get('name')}"))
    text = _text(path / "index.html", folder / "index.html", problems)
    anchors = None if text is None else tuple(_listed(*anchor) for anchor in _anchors(text))
    return Page(project=path.name, folder=folder, files=files, anchors=anchors, versions=versions)


def _text(path: Path, shown: Path, problems: list[Problem]) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        problems.append(Problem(shown, "it is not there"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(shown, f"it cannot be read: {error}"))
    return None


def _document(text: str, shown: Path, problems: list[Problem]) -> dict[str, Any] | None:
    try:
        document = load(text)
    except ValueError as error:
        problems.append(Problem(shown, f"it is not JSON: {error}"))
        return None
    if not isinstance(document, dict):
        problems.append(Problem(shown, "it is not a JSON object"))
        return None
    meta = document.get("meta")
    version = meta.get("api-version") if isinstance(meta, dict) else None
    if not isinstance(version, str) or not version.startswith("1."):
        problems.append(Problem(shown, f"its api-version is {version}, and installers know 1"))
    return document


def _files(document: dict[str, Any], shown: Path, problems: list[Problem]) -> tuple[Listed, ...] | None:
    entries = document.get("files")
    if not isinstance(entries, list):
        problems.append(Problem(shown, "it has no list of files"))
        return None
    found = []
    for number, entry in enumerate(entries, 1):
        listed = _entry(entry) if isinstance(entry, dict) else None
        if listed is None:
            problems.append(Problem(shown, f"its file {number} is not as PEP 691 has it"))
        else:
            found.append(listed)
    return tuple(found)


def _entry(entry: dict[str, Any]) -> Listed | None:
    hashes = entry.get("hashes")
    metadata = [entry[key] for key in ("core-metadata", "dist-info-metadata") if key in entry]
    yanked = entry.get("yanked", False)
    shape = (
        isinstance(entry.get("filename"), str)
        and isinstance(entry.get("url"), str)
        and isinstance(hashes, dict)
        and all(isinstance(each, str) for each in hashes.values())
        and isinstance(yanked, (bool, str))
        and all(isinstance(each, bool) or (isinstance(each, dict) and each == metadata[0]) for each in metadata)
        and all(entry.get(key) is None or isinstance(entry[key], str) for key in ("requires-python", "provenance"))
        and isinstance(entry.get("size", 0), int)
    )
    if not shape:
        return None
    digest = metadata[0].get("sha256") if metadata and isinstance(metadata[0], dict) else None
    return Listed(
        filename=entry["filename"],
        url=entry["url"],
        sha256=hashes.get("sha256") if isinstance(hashes, dict) else None,
        requires_python=entry.get("requires-python") or None,
        core_metadata=digest if isinstance(digest, str) else None,
        yanked=(yanked if isinstance(yanked, str) else "") if yanked else None,
        provenance=entry.get("provenance") or None,
        size=entry.get("size"),
    )


def _listed(anchor: dict[str, str], text: str) -> Listed:
    url, _, fragment = anchor.get("href", "").partition("#")
    metadata = anchor.get("data-core-metadata") or anchor.get("data-dist-info-metadata") or ""
    return Listed(
        filename=text.strip(),
        url=url,
        sha256=fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None,
        requires_python=anchor.get("data-requires-python") or None,
        core_metadata=metadata.removeprefix("sha256=") if metadata.startswith("sha256=") else None,
        yanked=anchor.get("data-yanked"),
        provenance=anchor.get("data-provenance") or None,
    )


def _anchors(text: str) -> list[tuple[dict[str, str], str]]:
    parser = _Anchors()
    parser.feed(text)
    parser.close()
    return parser.found


class _Anchors(html.parser.HTMLParser):
    """Collects the links of a page, with their attributes and their text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str], str]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._open = True
            self.found.append(({key: value or "" for key, value in attrs}, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            attributes, text = self.found[-1]
            self.found[-1] = (attributes, text + data)
