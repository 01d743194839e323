"""The files of a check as releases: what belongs together, by project and version."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from variantkit import variants
from variantkit.errors import VariantError
from variantkit.pages import VARIANTS_SUFFIX
from variantkit.platforms import systems
from variantkit.repair import row_of
from variantkit.wheel import Wheel

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.check.contents import Contents, Sdist
    from variantkit.check.documents import Variants
    from variantkit.check.published import Index
    from variantkit.check.registry import Problem
    from variantkit.matrix import Matrix, Row

__all__ = ["Family", "Files", "Release", "Table", "table_key"]

Document = dict[str, Any]
Key = tuple[str, Version]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A -variants.json file."""

    path: Path
    key: Key
    variants: Variants


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
    """One version of one project: `plain` wheels, and those with labels."""

    project: str
    version: Version
    plain: tuple[Contents, ...]
    labelled: tuple[Contents, ...]
    table: Table | None = None

    @functools.cached_property
    def labels(self) -> dict[str, list[Contents]]:
        """The wheels with a label, by label."""
        found: dict[str, list[Contents]] = {}
        for wheel in self.labelled:
            found.setdefault(wheel.name.label, []).append(wheel)
        return found

    @functools.cached_property
    def combined(self) -> Document | None:
        """What the wheels say of their variants together, or None where they cannot be combined."""
        documents = [wheel.variants.document for wheel in self.labelled if wheel.variants is not None]
        if not documents or any(document is None for document in documents):
            return None
        try:
            return variants.combine(document for document in documents if document is not None)
        except (VariantError, KeyError, TypeError, ValueError):
            return None

    def base_of(self, wheel: Contents) -> Contents | None:
        """Return the plain wheel that a wheel with a label replaces: for the same Python, ABI and kind of machine."""
        name = wheel.name
        same = [
            each
            for each in self.plain
            if (each.name.python, each.name.abi, each.name.build) == (name.python, name.abi, name.build)
            and ("any" in systems(each.name.platform) or systems(each.name.platform) & systems(name.platform))
        ]
        return next((each for each in same if each.name.platform == name.platform), same[0] if same else None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family:
    """The newest release of the matrix's project, with its classifier wheels."""

    matrix: Matrix
    release: Release
    classifiers: tuple[tuple[Row, Contents], ...]

    @property
    def version(self) -> str:
        """The version, as its file names have it."""
        wheels = [*self.release.plain, *self.release.labelled, *(wheel for _, wheel in self.classifiers)]
        return wheels[0].name.version


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files:
    """Everything that is checked together; `unreadable` has what the reading has found, by rule."""

    wheels: tuple[Contents, ...]
    sdists: tuple[Sdist, ...] = ()
    tables: tuple[Table, ...] = ()
    unreadable: tuple[tuple[str, Problem], ...] = ()
    index: Index | None = None
    matrix: Matrix | None = None
    root: Path | None = None
    against: Path | None = None

    @property
    def archives(self) -> tuple[Contents | Sdist, ...]:
        """The wheels, and then the sdists."""
        return (*self.wheels, *self.sdists)

    @functools.cached_property
    def releases(self) -> dict[Key, Release]:
        """All releases that have a wheel or a -variants.json."""
        plain: dict[Key, list[Contents]] = {}
        labelled: dict[Key, list[Contents]] = {}
        for wheel in self.wheels:
            kind = labelled if wheel.name.label else plain
            kind.setdefault((wheel.name.project, Version(wheel.name.version)), []).append(wheel)
        tables = {table.key: table for table in self.tables}
        return {
            key: Release(
                project=key[0],
                version=key[1],
                plain=tuple(plain.get(key, ())),
                labelled=tuple(labelled.get(key, ())),
                table=tables.get(key),
            )
            for key in sorted({*plain, *labelled, *tables})
        }

    @functools.cached_property
    def family(self) -> Family | None:
        """The newest release of the matrix's project; None where there is no matrix, or nothing of the project."""
        if self.matrix is None:
            return None
        ours: dict[Version, list[tuple[Row, Contents]]] = {}
        project = canonicalize_name(self.matrix.project.distribution)
        for wheel in self.wheels:
            row = row_of(self.matrix, Wheel(wheel.path))
            if row is not None:
                found = ours.setdefault(Version(wheel.name.version), [])
                if wheel.name.project != project:
                    found.append((row, wheel))
        if not ours:
            return None
        newest = max(ours)
        empty = Release(project=project, version=newest, plain=(), labelled=())
        return Family(
            matrix=self.matrix,
            release=self.releases.get((project, newest), empty),
            classifiers=tuple(ours[newest]),
        )

    @functools.cached_property
    def projects(self) -> frozenset[str]:
        """The names of all projects that have a wheel."""
        return frozenset(wheel.name.project for wheel in self.wheels)


def table_key(filename: str) -> Key | None:
    """Return the release that the name of a -variants.json says, or None where it says none."""
    distribution, _, version = filename.removesuffix(VARIANTS_SUFFIX).rpartition("-")
    try:
        return canonicalize_name(distribution), Version(version)
    except InvalidVersion:
        return None
