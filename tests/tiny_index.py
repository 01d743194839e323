"""Wheels of a few bytes, the pages of a simple repository around them, and a server for those, all made by hand.

Independent of `variantkit.index`, so that what reads a repository is tested against what the standards say, and not
against what this project writes.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.server
import json
import re
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["SCHEMA", "serve", "sha256", "variant_document", "wheel", "write_pages"]

_JSON = "application/vnd.pypi.simple.v1+json"

SCHEMA = "https://variants-schema.wheelnext.dev/peps/850/v0.2.0.json"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def variant_document(variants: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata of wheel variants of the x86_64 namespace, as uv has its provider built in."""
    return {
        "$schema": SCHEMA,
        "default-priorities": {"namespace": ["x86_64"]},
        "providers": {"x86_64": {"requires": ["x86-64-variant-provider>=0.2,<1"]}},
        "variants": dict(variants),
    }


def wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    extras: Mapping[str, Sequence[str]] | None = None,
    label: str | None = None,
    origin: str = "ours",
    variants: Mapping[str, Any] | None = None,
) -> Path:
    """Make a pure wheel whose module says where it is from; `variants` is the metadata of its label."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = name.replace("-", "_")
    path = folder / f"{stem}-{version}-py3-none-any{f'-{label}' if label else ''}.whl"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Requires-Python: >=3.8"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    for extra, requirements in (extras or {}).items():
        lines += [f"Provides-Extra: {extra}"]
        lines += [f"Requires-Dist: {requirement}; extra == '{extra}'" for requirement in requirements]
    info = f"{stem}-{version}.dist-info"
    files = {
        f"{stem}.py": f"ORIGIN = {origin!r}\nLABEL = {label!r}\nVERSION = {version!r}\n",
        f"{info}/METADATA": "\n".join(lines) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if label:
        files[f"{info}/variant.json"] = json.dumps(variant_document({label: dict(variants or {})}))
    record = ""
    for member, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{member},sha256={digest},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(zipfile.ZipInfo(member), text)
    return path


def write_pages(folder: Path, *, html: bool = True, as_json: bool = True) -> Path:
    """Write the pages of a simple repository about the files in `folder`, and return where they begin."""
    projects: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in {".whl", ".json"}:
            projects.setdefault(re.sub(r"[-_.]+", "-", path.name.split("-")[0]).lower(), []).append(path)
    simple = folder / "simple"
    for name, files in projects.items():
        page = simple / name
        page.mkdir(parents=True, exist_ok=True)
        hashed = [(path.name, f"../../{path.name}", sha256(path), path.stat().st_size) for path in files]
        if html:
            links = [f'<a href="{url}#sha256={digest}">{file}</a><br>' for file, url, digest, _ in hashed]
            (page / "index.html").write_text(_html(links), encoding="utf-8")
        if as_json:
            listed = [
                {"filename": file, "url": url, "hashes": {"sha256": digest}, "size": size}
                for file, url, digest, size in hashed
            ]
            document = {"meta": {"api-version": "1.1"}, "name": name, "versions": [], "files": listed}
            (page / "index.json").write_text(json.dumps(document), encoding="utf-8")
    (simple / "index.html").write_text(_html(f'<a href="{name}/">{name}</a>' for name in projects), encoding="utf-8")
    return simple


def _html(links: Any) -> str:
    return "<!DOCTYPE html><html><body>\n" + "\n".join(links) + "\n</body></html>\n"


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    as_json = False

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def translate_path(self, path: str) -> str:
        """Give the page in JSON to those who ask for it, where this server does such things."""
        translated = super().translate_path(path)
        page = Path(translated, "index.json")
        return str(page) if path.endswith("/") and self._wants_json() and page.exists() else translated

    def guess_type(self, path: Any) -> str:
        return _JSON if self._wants_json() and str(path).endswith("/index.json") else super().guess_type(path)

    def _wants_json(self) -> bool:
        return self.as_json and _JSON in self.headers.get("Accept", "")


class _JsonHandler(_Handler):
    as_json = True


@contextlib.contextmanager
def serve(folder: Path, *, as_json: bool = False) -> Iterator[str]:
    """Serve `folder` on a port of this machine, and give its address without a slash at the end.

    `as_json` makes it a server that gives pages in JSON to those who ask for them.
    """
    handler = functools.partial(_JsonHandler if as_json else _Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
