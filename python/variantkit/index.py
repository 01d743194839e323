"""A static simple repository (PEP 503) that pip and uv read from any web server or from a folder.

The index is published by one rename: a new tree is written beside the old one and a symbolic link is switched to it, so
a reader sees the old release or the new one and never a mixture.

https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import email.parser
import hashlib
import html
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from variantkit.errors import IndexingError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["write_index"]


def write_index(wheels: Iterable[Path], target: Path) -> Path:
    """Publish `wheels` as a simple repository at `target`/simple and return that path.

    Raises `IndexingError` when a file is no wheel or when `target` is something else than an index of ours.
    """
    target = target.absolute()
    if target.exists() and not target.is_symlink():
        msg = f"{target} exists and is not an index that was written here. Remove it, or choose another place."
        raise IndexingError(msg)
    target.parent.mkdir(parents=True, exist_ok=True)
    tree = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        tree.chmod(0o755)
        _write_tree(sorted(wheels, key=lambda path: path.name), tree)
        link = tree.with_name(tree.name + ".link")
        link.symlink_to(tree.name)
        previous = target.resolve() if target.is_symlink() else None
        link.replace(target)
    except BaseException:
        shutil.rmtree(tree, ignore_errors=True)
        raise
    if previous is not None and previous.name.startswith(f".{target.name}-"):
        shutil.rmtree(previous, ignore_errors=True)
    return target / "simple"


def _write_tree(wheels: list[Path], tree: Path) -> None:
    projects: dict[str, list[str]] = {}
    for wheel in wheels:
        try:
            name = canonicalize_name(parse_wheel_filename(wheel.name)[0])
            requires_python = _metadata(wheel).get("Requires-Python")
        except (InvalidWheelFilename, OSError, zipfile.BadZipFile, KeyError) as error:
            msg = f"{wheel} is not a wheel that can be published: {error}. Build it again, or leave it out."
            raise IndexingError(msg) from error
        directory = tree / "simple" / name
        directory.mkdir(parents=True, exist_ok=True)
        if (directory / wheel.name).exists():
            msg = f"{wheel.name} was given twice. Name one of the two, since an index has one file of a name."
            raise IndexingError(msg)
        _link_or_copy(wheel, directory / wheel.name)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        attribute = f' data-requires-python="{html.escape(requires_python)}"' if requires_python else ""
        projects.setdefault(name, []).append(
            f'<a href="{html.escape(wheel.name)}#sha256={digest}"{attribute}>{html.escape(wheel.name)}</a><br>'
        )
    for project, anchors in projects.items():
        (tree / "simple" / project / "index.html").write_text(_page(project, anchors), encoding="utf-8")
    links = [f'<a href="{project}/">{project}</a><br>' for project in sorted(projects)]
    (tree / "simple" / "index.html").write_text(_page("Simple index", links), encoding="utf-8")


def _page(title: str, lines: list[str]) -> str:
    head = f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><meta name="pypi:repository-version" content="1.0"><title>{title}</title></head><body>'
    return "\n".join([head, *lines, "</body></html>"]) + "\n"


def _metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1)
        return email.parser.Parser().parsestr(archive.read(name).decode())


def _link_or_copy(source: Path, target: Path) -> None:
    # A build replaces a wheel by renaming, so a hard link keeps what was published.
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
