"""Reading a simple repository, whoever wrote it: a folder or an address, pages in JSON (PEP 691) or HTML (PEP 503).

https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import dataclasses
import hashlib
import html.parser
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import canonicalize_name

from variantkit.errors import IndexingError

__all__ = ["ListedFile", "SimpleReader"]

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_SECONDS = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListedFile:
    """A file that a page lists. `address` has no fragment; in a folder it begins with `file:`."""

    filename: str
    address: str
    sha256: str | None = None
    size: int | None = None
    yanked: bool = False

    @property
    def path(self) -> Path | None:
        """Where the file is on this machine, or None where it is elsewhere."""
        parts = urlsplit(self.address)
        return Path(urllib.request.url2pathname(parts.path)) if parts.scheme == "file" else None


class SimpleReader:
    """The repository at `place`: what pip is given as `--index-url`, or a folder with those pages, or with `simple/`."""

    def __init__(self, place: str) -> None:
        self.place = place
        parts = urlsplit(place)
        self._address: str | None = place if parts.scheme in {"http", "https"} else None
        self._folder = Path(urllib.request.url2pathname(parts.path) if parts.scheme == "file" else place)
        if self._address is None:
            if not self._folder.is_dir():
                msg = f"{place} is neither a folder nor an http address. Name what pip is given as --index-url."
                raise IndexingError(msg)
            if (self._folder / "simple").is_dir():
                self._folder /= "simple"

    def project(self, name: str) -> list[ListedFile] | None:
        """Return the files of a project in the order of its page, or None where there is no such project.

        Raises `IndexingError` where the page cannot be read.
        """
        name = canonicalize_name(name)
        if self._address is None:
            found = self._page_in_folder(name)
        else:
            found = self._get(f"{self._address.rstrip('/')}/{name}/", missing_ok=True)
        if found is None:
            return None
        data, address, is_json = found
        try:
            files = _read_json(data, address) if is_json else _read_html(data, address)
            if self._address is not None and any(file.path is not None for file in files):
                msg = "it lists files of the reader's machine"
                raise ValueError(msg)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            msg = f"The page {address} is not one of a simple repository: {error!r}. Name another index."
            raise IndexingError(msg) from error
        return files

    def content(self, file: ListedFile) -> bytes:
        """Return a file; raise `IndexingError` when it is not there or not the one that the page describes."""
        path = file.path
        try:
            data = path.read_bytes() if path is not None else None
        except OSError as error:
            msg = (
                f"{self.place} lists {file.filename}, which cannot be read: {error.strerror}. Publish the index again."
            )
            raise IndexingError(msg) from error
        if data is None:
            found = self._get(file.address)
            data = found[0] if found else b""
        if file.sha256 is not None and hashlib.sha256(data).hexdigest() != file.sha256:
            msg = f"{file.address} is another file than the index says: its hash differs. Publish the index again."
            raise IndexingError(msg)
        return data

    def _page_in_folder(self, name: str) -> tuple[bytes, str, bool] | None:
        for filename in ("index.json", "index.html"):
            path = self._folder / name / filename
            try:
                return path.read_bytes(), path.absolute().as_uri(), filename == "index.json"
            except (FileNotFoundError, NotADirectoryError):
                continue
        return None

    def _get(self, address: str, *, missing_ok: bool = False) -> tuple[bytes, str, bool] | None:
        if urlsplit(address).scheme not in {"http", "https"}:
            msg = f"{self.place} lists {address}, which is no http address. Name another index."
            raise IndexingError(msg)
        request = urllib.request.Request(address, headers={"Accept": _ACCEPT})  # noqa: S310 -- http, as was just checked
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 -- the same
                return answer.read(), answer.url, answer.headers.get_content_type() == _JSON
        except urllib.error.HTTPError as error:
            if error.code in {404, 410} and missing_ok:
                return None
            msg = f"{address} answers {error.code} {error.reason}. Name an index that can be read without signing in."
            raise IndexingError(msg) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            msg = f"{address} cannot be read: {reason}. Check the address, or the network."
            raise IndexingError(msg) from error


def _read_json(data: bytes, address: str) -> list[ListedFile]:
    page: Any = json.loads(data)
    version = page["meta"]["api-version"]
    if version.partition(".")[0] != "1":
        msg = f"its version {version} is not known"
        raise ValueError(msg)
    return [
        ListedFile(
            filename=entry["filename"],
            address=urldefrag(urljoin(address, entry["url"])).url,
            sha256=entry["hashes"].get("sha256"),
            size=entry.get("size"),
            yanked=entry.get("yanked", False) is not False,
        )
        for entry in page["files"]
    ]


def _read_html(data: bytes, address: str) -> list[ListedFile]:
    parser = _Anchors(address)
    parser.feed(data.decode("utf-8"))
    parser.close()
    return parser.files


class _Anchors(html.parser.HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.files: list[ListedFile] = []
        self._base = address

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        target = given.get("href")
        if not target:
            return
        if tag == "base":
            self._base = urljoin(self._base, target)
        elif tag == "a":
            address, fragment = urldefrag(urljoin(self._base, target))
            kind, _, digest = fragment.partition("=")
            self.files.append(
                ListedFile(
                    filename=unquote(urlsplit(address).path.rpartition("/")[2]),
                    address=address,
                    sha256=digest if kind == "sha256" else None,
                    yanked="data-yanked" in given,
                )
            )
