"""The jobs of a release: each is independent of the others, so that a release can outgrow one machine.

There is one job per classifier and platform. The base wheels of a platform are one job and not one per ABI: they share
the kernels of the base classifier, which are compiled once for all of them, and what is left per ABI is the binding, a few
seconds, less than a fresh machine needs to get its container image.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from typing import TYPE_CHECKING

from variantkit.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from variantkit.matrix import Matrix, Row

__all__ = ["LINUX_IMAGE", "Job", "command_line", "jobs", "shell"]

# The oldest C library that PyPA's images still get compilers for; cibuildwheel pins the image of that name itself.
LINUX_IMAGE = "manylinux_2_28"

_ABI = re.compile(r"(cp3\d+t?|cp3\d+-abi3|py3-none)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One job: what it builds, where, and what comes out."""

    classifier: str
    platform: str
    python: tuple[str, ...]  # ABIs of the base wheels; a classifier wheel has none
    image: str  # of the container that is built in; empty where it is built on the machine itself
    command: tuple[str, ...]
    wheels: str  # glob of what it puts into dist/
    artifact: str

    @property
    def name(self) -> str:
        """What people see."""
        return f"{self.classifier} ({self.platform})"


def jobs(matrix: Matrix, *, platforms: Iterable[str] = (), classifiers: Iterable[str] = ()) -> list[Job]:
    """Return the jobs of a release, lowest rank first; `platforms` and `classifiers` choose among them (all).

    Raises `MatrixError`, which names what is allowed, for an unknown platform or classifier, for an ABI that is none, and
    where nothing is left of the choice.
    """
    known = list(dict.fromkeys(platform for row in matrix.rows for platform in row.platforms))
    where, names = list(platforms) or known, list(classifiers)
    if unknown := [platform for platform in where if platform not in known]:
        msg = f'Nothing is published for "{unknown[0]}" in classifiers.toml. Choose among: {", ".join(known)}.'
        raise MatrixError(msg)
    if strange := [abi for abi in matrix.pipelines.python if not _ABI.fullmatch(abi)]:
        msg = f'[pipelines], key "python": "{strange[0]}" is no ABI; write it as cp311, cp314t or cp312-abi3.'
        raise MatrixError(msg)
    rows = [matrix.row(name) for name in names] if names else list(matrix.rows)
    found = [_job(matrix, row, platform) for platform in where for row in rows if platform in row.platforms]
    if not found:
        msg = f"Nothing is left: {', '.join(names)} is not published for {', '.join(where)}. Choose others."
        raise MatrixError(msg)
    return list(dict.fromkeys(found))


def shell(found: Sequence[Job]) -> str:
    """Return the commands of the jobs, one per line, quoted for a POSIX shell."""
    return "".join(f"{shlex.join(job.command)}\n" for job in found)


def command_line(matrix: Matrix, name: str) -> tuple[str, ...]:
    """Return how a pipeline of the project calls one of the commands, as words."""
    return tuple(shlex.split(matrix.pipelines.command.replace("{}", name)))


def _job(matrix: Matrix, row: Row, platform: str) -> Job:
    base = row.name == matrix.project.base
    python = matrix.pipelines.python if base else ()
    words = [*command_line(matrix, "build"), "--builder", "cibuildwheel", "--classifiers", row.name]
    words += ["--python", ",".join(python)] if python else []
    distribution = matrix.project.distribution.replace("-", "_")
    return Job(
        classifier=row.name,
        platform=platform,
        python=python,
        # Elsewhere, cibuildwheel builds on the machine itself.
        image=LINUX_IMAGE if platform.startswith("linux-") else "",
        command=(*words, "--out", "dist"),
        wheels=f"{distribution}-*.whl" if base else f"{distribution}_{row.label}-*.whl",
        artifact=f"wheels-{row.name}-{platform}",
    )
