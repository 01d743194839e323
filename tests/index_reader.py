"""A reader of a static package index: it takes nothing on trust that the pages say, and can look all the time.

Independent of `variantkit`: pages are read as PEP 503, 658, 691 and 825 describe them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import html.parser
import io
import json
import posixpath
import threading
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

__all__ = ["IndexReader", "Link", "Watcher"]

Pages = dict[str, tuple["Link", ...]]


@dataclasses.dataclass(frozen=True, order=True)
class Link:
    """A file as a page names it; `place` is relative to the folder of the index."""

    filename: str
    place: str
    sha256: str
    metadata: str | None


class _Anchors(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._attributes: dict[str, str | None] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._attributes = dict(attrs) if tag == "a" else None

    def handle_data(self, data: str) -> None:
        if self._attributes is not None:
            self.found.append((data, self._attributes))
            self._attributes = None


class IndexReader:
    """Reads the index in `folder`; whatever is missing or wrong is an `AssertionError`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def look(self) -> Pages:
        """Read all pages, fetch all files that they name, and return what was read."""
        pages = self.pages()
        self.fetch(pages)
        return pages

    def pages(self) -> Pages:
        """Read all pages, HTML and JSON; there are none before anything was published."""
        simple = self.folder / "simple"
        try:
            root = (simple / "index.html").read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        names = [str(attributes["href"]).rstrip("/") for _, attributes in _Anchors(root).found]
        document = json.loads((simple / "index.json").read_text(encoding="utf-8"))
        # It may have been shown later than the page before.
        assert {each["name"] for each in document["projects"]} >= set(names), "a project was lost"
        assert (self.folder / "index.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
        return {name: self._project(name) for name in names}

    def _project(self, name: str) -> tuple[Link, ...]:
        page = self.folder / "simple" / name
        first = (page / "index.json").read_text(encoding="utf-8")
        text = (page / "index.html").read_text(encoding="utf-8")
        second = (page / "index.json").read_text(encoding="utf-8")
        links = tuple(sorted(_from_json(name, json.loads(first))))
        from_html = tuple(sorted(_from_html(name, text)))
        assert first != second or links == from_html, f"the two pages of {name} differ"
        # A reader of HTML gets its files too, from whichever generation it was.
        return links if links == from_html else tuple(sorted({*links, *from_html}))

    def fetch(self, pages: Pages) -> None:
        """Fetch all files that `pages` name and check them."""
        for name, links in pages.items():
            contents = {link: self._read(link) for link in links}
            _check_variants(name, contents)

    def _read(self, link: Link) -> bytes:
        data = _bytes(self.folder / link.place)
        assert hashlib.sha256(data).hexdigest() == link.sha256, f"{link.place} has another hash than its page says"
        if link.metadata is not None:
            metadata = _bytes(self.folder / f"{link.place}.metadata")
            assert hashlib.sha256(metadata).hexdigest() == link.metadata, f"the metadata of {link.place} are others"
        return data


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        msg = f"{path} is on a page, and it is not there"
        raise AssertionError(msg) from None


def _place(project: str, url: str) -> str:
    return posixpath.normpath(posixpath.join("simple", project, unquote(url.partition("#")[0])))


def _from_json(project: str, document: dict[str, Any]) -> list[Link]:
    assert document["name"] == project
    return [
        Link(
            each["filename"],
            _place(project, each["url"]),
            each["hashes"]["sha256"],
            (each.get("core-metadata") or {}).get("sha256"),
        )
        for each in document["files"]
    ]


def _from_html(project: str, text: str) -> list[Link]:
    links = []
    for filename, attributes in _Anchors(text).found:
        url = str(attributes["href"])
        metadata = attributes.get("data-core-metadata")
        links.append(
            Link(
                filename,
                _place(project, url),
                url.partition("#sha256=")[2],
                metadata.removeprefix("sha256=") if metadata else None,
            )
        )
    return links


def _check_variants(name: str, contents: dict[Link, bytes]) -> None:
    """Check that the variants of each release are described, and as the wheels describe themselves."""
    described: dict[str, list[dict[str, Any]]] = {}
    for link, data in contents.items():
        if link.filename.endswith("-variants.json"):
            described.setdefault(link.filename.removesuffix("-variants.json"), []).append(json.loads(data)["variants"])
    for link, data in contents.items():
        parts = link.filename.removesuffix(".whl").split("-")
        if not link.filename.endswith(".whl") or len(parts) != 6:
            continue
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            own = json.loads(archive.read(f"{parts[0]}-{parts[1]}.dist-info/variant.json"))["variants"]
        documents = described.get(f"{parts[0]}-{parts[1]}", [])
        label = parts[5]
        assert any(document.get(label) == own[label] for document in documents), (
            f"{link.filename} is on the page of {name}, and no file of variants there describes it"
        )


class Watcher:
    """Reads an index all the time in a thread of its own; also the files of pages that were read a round ago.

    Use it as a context; it rests for `pause` seconds between its rounds. `settle` waits until the pages that are shown now
    have been read, and the files of those before.
    """

    def __init__(self, folder: Path, pause: float = 0.0) -> None:
        self.reader = IndexReader(folder)
        self.pause = pause
        self.rounds = 0
        self.files = 0
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watcher:  # noqa: PYI034 -- Self came with Python 3.11
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join()
        self.check()

    def check(self) -> None:
        """Raise what the thread has found."""
        if self._failure is not None:
            msg = f"a reader of the index in its round {self.rounds}: {self._failure}"
            raise AssertionError(msg) from self._failure

    def settle(self) -> None:
        wanted = self.rounds + 2  # the round that is going on may have read its pages before
        with self._changed:
            self._changed.wait_for(lambda: self.rounds >= wanted or self._failure is not None, timeout=60)
        self.check()
        assert self.rounds >= wanted, "the reader of the index does not come on"

    def _run(self) -> None:
        before: Pages = {}
        try:
            while not self._ended:
                pages = self.reader.pages()
                if pages != before:
                    self.reader.fetch(before)
                self.reader.fetch(pages)
                before = pages
                with self._changed:
                    self.rounds += 1
                    self.files += sum(map(len, pages.values()))
                    self._changed.notify_all()
                time.sleep(self.pause)
        except BaseException as error:  # noqa: BLE001 -- it is raised in the thread of the test
            with self._changed:
                self._failure = error
                self._changed.notify_all()
