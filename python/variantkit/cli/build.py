"""`variantkit build`: build the wheels of a project, each classifier once and the base wheel once per Python ABI."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from variantkit.build import Builder
from variantkit.host import this_machine
from variantkit.interpreters import choose_interpreters
from variantkit.lock_file import only_writer
from variantkit.matrix import read_matrix
from variantkit.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.interpreters import Interpreter

__all__ = ["BUILDERS", "add_jobs", "main", "make_builder", "platform_of", "reject_mixtures", "words"]

BUILDERS = ("local", "cibuildwheel")


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None, also: Sequence[Path] = ()) -> int:
    """Build; `also` are pure Python projects of the same tree whose wheels belong to the release."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=root or Path(), help="the project, with its classifiers.toml (here)"
    )
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="where the wheels go (ROOT/dist)")
    parser.add_argument(
        "--classifiers",
        type=words,
        metavar="NAME,...",
        help="which to build; the base's name means the base wheels (all of this platform)",
    )
    parser.add_argument(
        "--python",
        type=words,
        metavar="ABI,...",
        help="base wheels for these, such as cp311,cp312-abi3, or 3.11,3.12 (all Pythons found on this machine; with "
        "cibuildwheel all that it knows, without the free-threaded ones)",
    )
    parser.add_argument(
        "--builder",
        choices=BUILDERS,
        default="local",
        help="where to compile: on this machine, or in containers, repaired by auditwheel (%(default)s)",
    )
    parser.add_argument(
        "--image",
        metavar="NAME",
        default="",
        help="the image of the containers (what CIBW_MANYLINUX_X86_64_IMAGE says, or PyPA's manylinux_2_28)",
    )
    add_jobs(parser)
    parser.add_argument("--werror", action="store_true", help="compiler warnings are errors")
    options = parser.parse_args(arguments)
    reject_mixtures(parser, options)

    matrix = read_matrix(options.root)
    here = platform_of(options.builder)
    wanted = options.classifiers or [row.name for row in matrix.published(here)]
    if not wanted:
        parser.error(f"classifiers.toml has no row for this platform, {here}; name what to build with --classifiers")
    names = [matrix.row(name).name for name in wanted]
    out = options.out or options.root / "dist"
    progress = Progress(0)
    builder, interpreters = make_builder(
        options.builder,
        options.python,
        image=options.image,
        root=options.root,
        out=out,
        progress=progress,
        jobs=options.jobs,
        warnings_are_errors=options.werror,
    )
    progress.total = builder.count(names, interpreters) + len(also)
    with only_writer(builder.work, say=lambda text: print(text, file=sys.stderr, flush=True)):
        wheels = [builder.pure_wheel(project, builder.tool(interpreters)) for project in also]
        wheels += builder.build(names, interpreters)
    for wheel in wheels:
        print(os.path.relpath(wheel))
    return 0


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add the option `--jobs`, which a build and a release have."""
    parser.add_argument(
        "--jobs",
        type=_count,
        metavar="N",
        help="wheels to build at a time on this machine, each with a compiler on every CPU (2: one compiles while another is "
        "configured or packed; 1 needs least memory)",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        msg = f"{text!r} is not a number of wheels; write 1 or more"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def reject_mixtures(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Exit with a message where an option is given that the chosen builder has not."""
    if options.image and options.builder == "local":
        parser.error("--image is for --builder cibuildwheel")
    if options.jobs and options.builder != "local":
        parser.error("--jobs is for --builder local; containers are started one after the other")


def words(text: str) -> list[str]:
    """Return the names in a list such as "avx2,generic"; what argparse is given as a type."""
    found = [word.strip() for word in text.split(",")]
    if not all(found):
        msg = f"{text!r} has an empty name; write them with commas in between, such as one,two"
        raise argparse.ArgumentTypeError(msg)
    return found


def platform_of(builder: str) -> str:
    """Return the platform that a builder builds for, as classifiers.toml writes it."""
    if builder == "local":
        return "-".join(this_machine())
    from variantkit.cibuildwheel import container_machine

    return f"linux-{container_machine()}"


def make_builder(
    builder: str, wanted: Sequence[str] | None, *, image: str = "", jobs: int | None = None, root: Path, **options: Any
) -> tuple[Builder, list[Interpreter]]:
    """Return a builder of that name, and one interpreter per base wheel; `options` are those of `Builder`."""
    if jobs:
        options["jobs"] = jobs
    if builder == "local":
        return Builder(root=root, **options), choose_interpreters(root, wanted)
    from variantkit.cibuildwheel import ContainerBuilder, choose_container_interpreters

    return ContainerBuilder(root=root, image=image, **options), choose_container_interpreters(root, wanted)
