"""A web server for a static package index that remembers what it was asked for, with and without content negotiation."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.server
import threading
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Asked", "IndexServer", "serve_index"]

JSON = "application/vnd.pypi.simple.v1+json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """One request and what became of it."""

    method: str
    path: str
    status: int
    content_type: str

    @property
    def file(self) -> str:
        """The last part of the path; empty for a page."""
        return self.path.rpartition("/")[2]


class IndexServer:
    """A server on a port of this machine; its pages are of `page_type`, and `asked` grows with every request."""

    def __init__(self, address: str, page_type: str) -> None:
        self.address = address
        self.page_type = page_type
        self.asked: list[Asked] = []

    @property
    def simple(self) -> str:
        """What installers are given."""
        return f"{self.address}/simple/"

    def files(self, suffix: str = "") -> list[str]:
        """The files that were delivered, pages left out, in the order in which they were asked for."""
        return [
            each.file
            for each in self.asked
            if each.status == HTTPStatus.OK and each.file and each.file.endswith(suffix)
        ]

    def page_types(self) -> set[str]:
        """The content types of the pages that were delivered."""
        return {each.content_type for each in self.asked if each.status == HTTPStatus.OK and not each.file}


@contextlib.contextmanager
def serve_index(folder: Path, *, negotiate: bool = False) -> Iterator[IndexServer]:
    """Serve a repository: as any web server would, or with PEP 691's JSON for those who ask for it."""
    handler = functools.partial(_Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    served = IndexServer(f"http://127.0.0.1:{server.server_address[1]}", JSON if negotiate else "text/html")
    server.served = served  # type: ignore[attr-defined]
    server.negotiate = negotiate  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def translate_path(self, path: str) -> str:
        place = super().translate_path(path)
        wants_json = self.server.negotiate and JSON in self.headers.get("Accept", "")  # type: ignore[attr-defined]
        return str(Path(place) / "index.json") if wants_json and Path(place).is_dir() else place

    def guess_type(self, path: str) -> str:  # type: ignore[override]
        return JSON if Path(path).name == "index.json" else super().guess_type(path)

    def send_response(self, code: int, message: str | None = None) -> None:
        self._status = int(code)
        super().send_response(code, message)

    def send_header(self, keyword: str, value: str) -> None:
        if keyword.lower() == "content-type":
            asked = Asked(method=self.command, path=self.path, status=self._status, content_type=value)
            self.server.served.asked.append(asked)  # type: ignore[attr-defined]
        super().send_header(keyword, value)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
