"""What a file was made from, so that it is not made again: a small record beside the build trees."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from variantkit.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["made", "remember"]


def made(stamp: Path, digest: str, out: Path) -> Path | None:
    """Return the file in `out` that was made from inputs of this digest and has not changed since, or None."""
    try:
        record = json.loads(stamp.read_text(encoding="utf-8"))
        path = out / str(record["wheel"])
        same = record["digest"] == digest and record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return path if same else None


def remember(stamp: Path, digest: str, path: Path) -> None:
    """Record that `path` was made from inputs of this digest."""
    record = {"digest": digest, "wheel": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    write_atomically(stamp, json.dumps(record, indent=2) + "\n")
