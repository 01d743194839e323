"""A whole release: build, repair, assemble, audit, check, publish. What was finished before is not done again."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import importlib.metadata
import os
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit import generate
from variantkit.assemble import Assembler, read_release
from variantkit.check import check
from variantkit.errors import AuditError, CheckError, MatrixError
from variantkit.files import write_atomically
from variantkit.matrix import read_matrix, read_pyproject
from variantkit.pages import version_of
from variantkit.repair import Repairer
from variantkit.source_tree import copy_sources
from variantkit.versions import set_version, snapshot_version
from variantkit.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from variantkit.build import Builder
    from variantkit.index import Published, Repository
    from variantkit.interpreters import Interpreter
    from variantkit.matrix import Matrix

__all__ = ["Releaser", "snapshot_source"]

# A step each: the matrix, all repairs, all variants, the audit, the check, the publication.
_OWN_STEPS = 6

# The rules that a release of some classifiers breaks: a published one is missing, an extra has no wheel.
_COMPLETENESS = ("VK303", "VK305")


@dataclasses.dataclass(kw_only=True)
class Releaser:
    """Makes a release of the project that `builder` builds, with its finished files in `dist`.

    There is a base wheel for each of `interpreters`; `also` are pure Python projects of the same tree that belong to it.
    """

    builder: Builder
    interpreters: Sequence[Interpreter]
    dist: Path
    also: Sequence[Path] = ()

    def __post_init__(self) -> None:
        self.root = self.builder.root
        self.matrix = self.builder.matrix
        self.progress = self.builder.progress

    def release(
        self, classifiers: Sequence[str], repository: Repository, *, replace: bool = False, partial: bool = False
    ) -> Published:
        """Build, repair, assemble, audit, check and publish; return what the publication changed.

        It is `partial` where some classifiers were left out on purpose.

        Raises `CheckError` with the findings, and publishes nothing, where there are any.
        """
        self.progress.total = self._count(classifiers) + _OWN_STEPS
        self.check_matrix()
        self.make(classifiers)
        self.audit()
        self.check(partial=partial)
        with self.progress.step(f"publish in {_short(repository.folder)}") as step:
            published = repository.publish([self.dist], replace=replace, matrix=self.matrix)
            step.note = f"{len(published.added)} new, {published.unchanged} unchanged"
        return published

    def make(self, classifiers: Sequence[str]) -> None:
        """Make `dist` hold the finished files of the release, and nothing else: the base is always among them."""
        self.progress.total = self.progress.total or self._count(classifiers) + 2
        repaired = self.repair(self.build(classifiers))
        self._drop_others([*repaired, *self.assemble(repaired)])

    def build(self, classifiers: Sequence[str]) -> list[Path]:
        """Build the wheels and the sdists, and return them."""
        tool = self.builder.tool(self.interpreters)
        built = [self.builder.pure_wheel(project, tool) for project in self.also]
        built += self.builder.build(self._with_base(classifiers), list(self.interpreters))
        return built + [self.builder.sdist(project, tool) for project in (self.root, *self.also)]

    def check_matrix(self) -> None:
        """Raise `MatrixError` where a generated file does not say what classifiers.toml says."""
        with self.progress.step("classifiers.toml and what is generated") as step:
            if drifted := generate.drift(self.root):
                names = ", ".join(str(path.relative_to(self.root)) for path in drifted)
                msg = f"{names} has drifted from classifiers.toml. Run: variantkit matrix --write"
                raise MatrixError(msg)
            step.note = f"{len(self.matrix.rows)} classifiers"

    def repair(self, built: Iterable[Path]) -> list[Path]:
        """Bring what was built into `dist`, fit to be published, and return it."""
        repairer = Repairer(self.matrix, self.dist, self.builder.work)
        done, reused = [], 0
        with self.progress.step("repair") as step:
            for path in built:
                if path.suffix == ".whl":
                    repaired, known = repairer.repair(Wheel(path))
                else:
                    repaired = self.dist / path.name
                    known = not write_atomically(repaired, path.read_bytes())
                done.append(repaired)
                reused += known
            step.note = f"{len(done)} files, {reused} unchanged"
        return done

    def assemble(self, files: Iterable[Path]) -> list[Path]:
        """Make the variant wheels of the wheels in `files`, and return them with their index file."""
        with self.progress.step("assemble variants") as step:
            release = read_release(self.matrix, [Wheel(path) for path in files if path.suffix == ".whl"])
            assembler = Assembler(self.matrix, release, self.dist)
            made = [assembler.make(*job) for job in assembler.plan()]
            same = sum(each.unchanged for each in made)
            index_file = assembler.write_index_file(made)
            step.note = f"{len(made)} wheels, {same} unchanged"
        return [each.path for each in (*made, index_file) if each is not None]

    def audit(self) -> None:
        """Hold the machine code of the finished wheels against the rows they are for; raise `AuditError` with findings."""
        from variantkit.audit import audit

        with self.progress.step("audit") as step:
            symbols = self.builder.work / "symbols"
            stamp = self.builder.work / "stamps" / "audit.json"
            digest = _audited_digest(sorted(self.dist.glob("*.whl")), self.matrix)
            if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
                step.note = "unchanged"
                return
            result = audit(
                [self.dist], matrix=self.matrix, symbols=symbols if symbols.is_dir() else None, allow_undecoded=True
            )
            if not result:
                msg = f"This must not be published:\n{result.text()}\nMend it and run this again; `variantkit audit` tells more."
                raise AuditError(msg)
            write_atomically(stamp, digest)
            step.note = f"{result.files} files, {result.instructions:,} instructions, no findings"

    def check(self, *, partial: bool = False) -> None:
        """Check all that is in `dist` as one release; raise `CheckError` with the findings.

        In a `partial` one, for some classifiers only, it is no finding that others are missing.
        """
        with self.progress.step("check") as step:
            result = check(
                [self.dist], matrix=self.matrix, root=self.root, strict=True, ignore=_COMPLETENESS if partial else ()
            )
            if not result:
                msg = f"This must not be published:\n{result.text()}\nMend it and run this again; `variantkit check` tells more."
                raise CheckError(msg)
            step.note = f"{result.files} files, {result.rules_run} rules, no findings"

    def _count(self, classifiers: Sequence[str]) -> int:
        return self.builder.count(self._with_base(classifiers), list(self.interpreters)) + 1 + 2 * len(self.also)

    def _with_base(self, classifiers: Sequence[str]) -> list[str]:
        """Return the classifiers with the base: a variant is a base wheel and more, so there is no release without it."""
        return list(dict.fromkeys([*classifiers, self.matrix.project.base]))

    def _drop_others(self, wanted: Iterable[Path]) -> None:
        """Remove what another release has left in `dist`, so that it is not taken for a part of this one."""
        keep = {path.name for path in wanted}
        for path in self.dist.iterdir():
            if path.name not in keep and not path.is_dir():
                path.unlink()


def snapshot_source(
    root: Path, target: Path, repository: Repository, *, day: datetime.date | None = None, also: Sequence[Path] = ()
) -> str:
    """Make `target` the source of the next snapshot of the project in `root`, and return its version.

    `also` are projects of the same tree, relative to it, that have the same version. Its own version is left as it is.
    """
    project = read_pyproject(root)["project"]
    name = read_matrix(root).project.distribution
    published = {version_of(file.filename) for file in repository.projects().get(name, [])}
    version = snapshot_version(project["version"], day or _today(), published)
    copy_sources(root, target)
    set_version(target, version, [target / each for each in also])
    return version


def _audited_digest(wheels: Iterable[Path], matrix: Matrix) -> str:
    """Hash all that the outcome of an audit follows from: the wheels, the matrix, the rules, and what reads the code."""
    digest = hashlib.sha256(repr(matrix).encode())
    for tool in ("abi3audit", "auditwheel", "iced-x86", "lief"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            digest.update(f"{tool} {importlib.metadata.version(tool)}\0".encode())
    here = Path(__file__).parent
    for path in (*wheels, here / "features.py", *sorted((here / "audit").glob("*.py"))):
        digest.update(f"{path.name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _today() -> datetime.date:
    """Return the day in UTC; SOURCE_DATE_EPOCH does not count, since a snapshot is of the day it is made on."""
    return datetime.datetime.now(datetime.timezone.utc).date()


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
