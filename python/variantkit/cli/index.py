"""`variantkit index`: publish wheels and sdists in a static package index (PEP 503, 658, 691, 700, 740, 825)."""

from __future__ import annotations

import argparse
import datetime
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from variantkit.index import Repository
from variantkit.matrix import read_matrix, read_pyproject
from variantkit.requirement_lines import lines

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None) -> int:
    """Publish and print how to install from the index."""
    here = root or Path()
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "files", nargs="*", type=Path, help=f"wheels and sdists, or directories of them ({here / 'dist'})"
    )
    parser.add_argument(
        "--out", type=Path, default=here / "build" / "index", metavar="DIR", help="where to publish (%(default)s)"
    )
    parser.add_argument(
        "--root", type=Path, default=here, help="the project, whose classifiers.toml the front page is made from (here)"
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="take away what is published of these versions; without it, a published file never changes",
    )
    parser.add_argument(
        "--time", type=_time, metavar="TIME", help="when the files were uploaded, such as 2026-11-24T12:00:00Z (now)"
    )
    yanking = parser.add_mutually_exclusive_group()
    yanking.add_argument("--yank", metavar="VERSION", help="mark a release as yanked, so that only == installs it")
    yanking.add_argument("--unyank", metavar="VERSION", help="take that back")
    parser.add_argument("--reason", default="", help="why it is yanked; installers show it")
    parser.add_argument("--project", action="append", default=[], help="yank of this project only (all that have it)")
    parser.add_argument("--no-wait", action="store_true", help="fail where another process is publishing there")
    options = parser.parse_args(arguments)
    repository = Repository(
        options.out, wait=not options.no_wait, say=lambda text: print(text, file=sys.stderr, flush=True)
    )
    if options.yank is not None or options.unyank is not None:
        if options.files:
            parser.error("--yank and --unyank publish nothing; leave the files out")
        version, reason = (options.unyank, None) if options.yank is None else (options.yank, options.reason)
        changed = repository.yank(version, reason, options.project)
        print(
            f"{len(changed.added)} files of {version} {'are not yanked any more' if reason is None else 'are yanked'}"
        )
        return 0

    paths = options.files or [options.root / "dist"]
    if not any(path.is_file() or list(path.glob("*.whl")) or list(path.glob("*.tar.gz")) for path in paths):
        missing = [path for path in options.files if not path.exists()]
        parser.error(f"{missing[0]} does not exist" if missing else "there are no wheels to publish; build them first")
    matrix = read_matrix(options.root) if (options.root / "classifiers.toml").exists() else None
    published = repository.publish(paths, replace=options.replace, matrix=matrix, now=options.time)
    print(
        f"{len(published.added)} files published, {len(published.removed)} taken away, {published.unchanged} unchanged."
    )
    print(how(repository, options.root))
    return 0


def _time(text: str) -> str:
    try:
        return f"{datetime.datetime.strptime(text, '%Y-%m-%dT%H:%M:%SZ').isoformat()}Z"
    except ValueError:
        msg = f"{text!r} is not a time in UTC, such as 2026-11-24T12:00:00Z"
        raise argparse.ArgumentTypeError(msg) from None


def how(repository: Repository, root: Path) -> str:
    """Return how to install the project in `root` from the index, or anything where there is no project."""
    address = repository.simple.as_uri()
    if not (root / "classifiers.toml").exists():
        return f"What is there may require more from another index:\n\n    pip install --index-url {address} NAME"
    project = read_pyproject(root)["project"]
    name = canonicalize_name(project["name"])
    family = {name, *(f"{name}-{row.name}" for row in read_matrix(root).rows)}
    companions = sorted(repository.projects().keys() - family)
    text = lines("pip", distribution=name, version=project["version"], extra=None, index=address, companions=companions)
    return "Install from it with:\n\n" + textwrap.indent(text, "    ")
