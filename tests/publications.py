"""Releases of a few bytes, and publications of them in processes that can be killed."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from variantkit import variants
from variantkit.wheel import Entry, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["SEED", "Begun", "Ended", "Publisher", "tiny_release", "tree"]

SEED = 20261124
"""What the moments of all kills are derived from."""

_TIME = (2026, 11, 24, 0, 0, 0)


def tiny_release(folder: Path, version: str, origin: str = "", name: str = "demo") -> list[Path]:
    """Make base, classifier and variant wheels of a version; `origin` makes other contents under the same names."""
    return [
        _wheel(folder, name, version, "", origin),
        _wheel(folder, name, version, "null", origin),
        _wheel(folder, name, version, "fast", origin),
        _wheel(folder, f"{name}_fast", version, "", origin),
    ]


def _wheel(folder: Path, name: str, version: str, label: str, origin: str) -> Path:
    info = f"{name}-{version}.dist-info"
    texts = {
        f"{name}/__init__.py": f"VERSION, LABEL, ORIGIN = {version!r}, {label!r}, {origin!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nRequires-Python: >=3.10\nSummary: {origin}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if label:
        properties = {} if label == "null" else {"x86_64": {"level": ["v3"]}}
        document = {
            "$schema": variants.FORMATS[variants.CURRENT].schema,
            "default-priorities": {"namespace": ["x86_64"]},
            "providers": {"x86_64": variants.PROVIDERS["x86_64"]},
            "variants": {label: properties},
        }
        texts[f"{info}/variant.json"] = variants.dumps(document)
    path = folder / f"{name}-{version}-py3-none-any{f'-{label}' if label else ''}.whl"
    write_wheel(path, {key: Entry(data=text.encode()) for key, text in texts.items()}, info, _TIME)
    return path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ended:
    """How a publication ended: its exit status, negative for a signal, and what it said."""

    status: int
    text: str
    seconds: float


class Publisher:
    """The process of `faults/publisher.py`; `prefix` are words before its command."""

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        script = Path(__file__).parent / "faults" / "publisher.py"
        self._process = subprocess.Popen(
            [*prefix, sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @classmethod
    @contextlib.contextmanager
    def running(cls, prefix: Sequence[str] = ()) -> Iterator[Publisher]:
        publisher = cls(prefix)
        try:
            yield publisher
        finally:
            publisher._process.communicate()

    def publish(self, folder: Path, files: Sequence[Path], *, kill_after: float | None = None, **more: Any) -> Ended:
        """Publish, and kill the process group that is at it after so many seconds."""
        begun = self.begin(folder, files, **more)
        if kill_after is not None:
            time.sleep(kill_after)
            # It may have ended by itself.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(begun.group, signal.SIGKILL)
        return begun.end()

    def begin(self, folder: Path, files: Sequence[Path], **more: Any) -> Begun:
        """Begin to publish."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"folder": str(folder), "files": [str(path) for path in files], **more}
        started = time.perf_counter()
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Begun(group=int(self._process.stdout.readline()), answer=self._process.stdout, started=started)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Begun:
    """A publication that is going on."""

    group: int
    answer: IO[str]
    started: float

    def until_it_waits(self) -> None:
        """Wait until it has nothing to do but to wait for a lock: until it has looked at its files."""
        sleeping = 0
        while sleeping < 10:
            time.sleep(0.02)
            state = Path(f"/proc/{self.group}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            sleeping = sleeping + 1 if state == "S" else 0

    def end(self) -> Ended:
        status, text = json.loads(self.answer.readline())
        return Ended(status=status, text=text, seconds=time.perf_counter() - self.started)


def tree(folder: Path) -> dict[str, str]:
    """Return all that is in a folder, by path: where a link leads, or the hash of a file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
    return found
