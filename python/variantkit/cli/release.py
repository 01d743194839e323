"""`variantkit release`: build, repair, assemble, check and publish everything of a release in one command."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from variantkit.cli.build import BUILDERS, add_jobs, make_builder, platform_of, reject_mixtures, words
from variantkit.cli.index import how
from variantkit.files import remove_partial
from variantkit.index import Repository
from variantkit.lock_file import only_writer
from variantkit.matrix import read_matrix, read_pyproject
from variantkit.pages import version_of
from variantkit.progress import Progress
from variantkit.release import Releaser, snapshot_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.matrix import Matrix


__all__ = ["main", "rebuild"]

# What is kept between releases in the folder that is locked for one: no other process writes there.
_KEPT = ("base", "projects", "release", "stage", "stamps", "wheels")


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None, also: Sequence[Path] = ()) -> int:
    """Release; `also` are pure Python projects of the same tree, relative to it, that belong to the release."""
    here = root or Path()
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog="interrupted or failed, it goes on from there when it is run again; what is published is never half a release",
    )
    parser.add_argument("--root", type=Path, default=here, help="the project, with its classifiers.toml (here)")
    parser.add_argument(
        "--classifiers",
        type=words,
        metavar="NAME,...",
        help="which to build; the base is always there (all of this platform)",
    )
    parser.add_argument(
        "--python",
        type=words,
        metavar="ABI,...",
        help="base wheels for these, such as cp311,cp312-abi3, or 3.11,3.12 (all Pythons found on this machine)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the index to publish in (ROOT/build/index; build/snapshots for snapshots)",
    )
    parser.add_argument("--builder", choices=BUILDERS, default="local", help="where to compile (%(default)s)")
    parser.add_argument(
        "--image", metavar="NAME", default="", help="the image of the containers, for --builder cibuildwheel"
    )
    add_jobs(parser)
    parser.add_argument(
        "--snapshot",
        action="store_true",
        help="release the tree as it is as A.B.(C+1).devYYYYMMDDNN, in an index of its own",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="take away what is published of this version; without it, a published file never changes",
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="fail where another release is at work in the same place"
    )
    options = parser.parse_args(arguments)
    reject_mixtures(parser, options)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    read_matrix(options.root)  # before anything is written where there is no project
    started = time.perf_counter()
    work = (options.root / "build").resolve()
    repository = Repository(
        options.out or work / ("snapshots" if options.snapshot else "index"), wait=not options.no_wait, say=say
    )
    repository.require()  # said now, and not when everything is built
    with only_writer(work, wait=not options.no_wait, say=say):
        source = options.root.resolve()
        if options.snapshot:
            source = work / "snapshot"
            version = snapshot_source(options.root.resolve(), source, repository, also=also)
            say(f"snapshot {version}")
        elif not options.replace and (version := _published_version(source, repository)):
            say(f"{version} is published there already: other bytes under its names are refused, unless with --replace")
        # A snapshot has build trees of its own, since its sources lie elsewhere.
        for place in {work, source / "build"}:
            for name in _KEPT:
                remove_partial(place / name)
        _release(options, source, work / "release" / "dist", repository, [source / each for each in also])
    print(f"\nPublished in {os.path.relpath(repository.folder)} after {time.perf_counter() - started:.0f} s.")
    print(how(repository, source))
    return 0


def _published_version(root: Path, repository: Repository) -> str:
    """Return the version of the project where the repository has it, else an empty string."""
    project = read_pyproject(root)["project"]
    published = repository.projects().get(canonicalize_name(project["name"]), [])
    version = str(Version(project["version"]))
    return version if version in {version_of(file.filename) for file in published} else ""


def _release(
    options: argparse.Namespace, source: Path, dist: Path, repository: Repository, also: Sequence[Path]
) -> None:
    matrix = read_matrix(source)
    wanted = options.classifiers or _published(matrix, options.builder)
    names = [matrix.row(name).name for name in wanted]
    builder, interpreters = make_builder(
        options.builder,
        options.python,
        image=options.image,
        jobs=options.jobs,
        root=source,
        out=source / "build" / "release" / "built",
        progress=Progress(0),
    )
    releaser = Releaser(builder=builder, interpreters=interpreters, dist=dist, also=also)
    releaser.release(names, repository, replace=options.replace, partial=options.classifiers is not None)


def rebuild(root: Path, out: Path, also: Sequence[Path] = ()) -> None:
    """Make the release of the project in `root` again, from nothing, with its finished files in `out`."""
    root = root.resolve()
    with tempfile.TemporaryDirectory(prefix="variantkit-rebuild-") as folder:
        work = Path(folder)
        builder, interpreters = make_builder(
            "local", None, root=root, out=work / "built", progress=Progress(0), work=work / "build"
        )
        releaser = Releaser(
            builder=builder, interpreters=interpreters, dist=out, also=[root / project for project in also]
        )
        releaser.make(_published(builder.matrix, "local"))


def _published(matrix: Matrix, builder: str) -> list[str]:
    return [row.name for row in matrix.published(platform_of(builder))]
