"""What the rules of the audit look at: images, the wheels or folders that they are in, and what each may need."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from variantkit.features import LEVELS

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.audit.binary import Binary
    from variantkit.audit.decode import CodeUse
    from variantkit.matrix import Matrix, Row
    from variantkit.wheel import WheelName

__all__ = ["Audited", "Image", "Package"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Image:
    """One image of a native file, and what it is held against: a row of the matrix, or else a level, or else nothing.

    `kernel` is true of the library beside a MANIFEST. `use` is None where its code was not decoded.
    """

    file: Path
    member: str
    binary: Binary
    use: CodeUse | None
    row: Row | None
    level: str
    kernel: bool
    size: int

    @functools.cached_property
    def allowed(self) -> frozenset[str]:
        """The CPU features that its code may need; empty where there is nothing to hold it against."""
        return frozenset(self.row.features) if self.row is not None else LEVELS.get(self.level, frozenset())

    @property
    def label(self) -> str:
        """What it is held against, for messages: the name of a row or a level."""
        return self.row.name if self.row is not None else self.level


@dataclasses.dataclass(frozen=True, kw_only=True)
class Package:
    """A wheel, a folder or a native file; `name` is None where it is no wheel, and `row` is that of a wheel's name."""

    path: Path
    name: WheelName | None
    row: Row | None
    images: tuple[Image, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Audited:
    """All that one audit looks at; `matrix` is None where there is none, or where a level was given instead."""

    packages: tuple[Package, ...]
    matrix: Matrix | None

    @functools.cached_property
    def images(self) -> tuple[Image, ...]:
        """All images of all packages."""
        return tuple(image for package in self.packages for image in package.images)
