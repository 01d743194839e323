"""Variant wheels (PEP 825): a base wheel plus the kernel library of one classifier, under a label. Nothing is compiled.

The base classifier's library stays in, so that an environment which is copied to a weaker machine still runs. The same
inputs give the same bytes: time stamps are those of the inputs, which come from SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from variantkit import variants
from variantkit.errors import VariantError, WheelError
from variantkit.files import write_atomically
from variantkit.origin import check_origin
from variantkit.platforms import common
from variantkit.repair import row_of
from variantkit.variant_migration import migrate
from variantkit.variants import NULL
from variantkit.wheel import Entry, Wheel, WheelName, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from variantkit.matrix import Matrix, Row

__all__ = ["Assembled", "Assembler", "Release", "migrate_file", "read_release"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
    """The wheels of one version of a project, checked to belong together; `others` are no part of the assembly."""

    version: str
    bases: tuple[Wheel, ...]
    classifiers: tuple[tuple[Row, Wheel], ...]
    others: tuple[Wheel, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assembled:
    """A file that was written, and whether it was the same already."""

    path: Path
    unchanged: bool


def read_release(matrix: Matrix, wheels: Iterable[Wheel]) -> Release:
    """Sort wheels into base and classifier wheels and check that they are of one version and of this matrix.

    Wheels with a label are left out: they are what is made. Raises `WheelError` for a damaged wheel, one of another
    version or one that was built from another classifiers.toml.
    """
    project = canonicalize_name(matrix.project.distribution)
    bases, classifiers, others = [], [], []
    for wheel in wheels:
        if wheel.name.label:
            continue
        row = row_of(matrix, wheel)
        if row is None:
            others.append(wheel)
            continue
        if defects := wheel.defects():
            msg = f"{wheel.path} is damaged: {defects[0]}. Build it again."
            raise WheelError(msg)
        if row.name not in check_origin(wheel, matrix):
            msg = f"{wheel.path} holds no library of {row.name}, with a MANIFEST beside it. Build it again."
            raise WheelError(msg)
        if wheel.name.project == project:
            bases.append(wheel)
        else:
            classifiers.append((row, wheel))
    if not bases:
        msg = f"There is no base wheel of {matrix.project.distribution} among these files. Build it, or name it too."
        raise WheelError(msg)
    version = bases[0].name.version
    for wheel in [*bases, *(wheel for _, wheel in classifiers)]:
        if wheel.name.version != version:
            msg = (
                f"{wheel.path.name} and {bases[0].path.name} are of different versions. Assemble one release at a time."
            )
            raise WheelError(msg)
    return Release(version=version, bases=tuple(bases), classifiers=tuple(classifiers), others=tuple(others))


class Assembler:
    """Makes the variant wheels of one release in `out`."""

    def __init__(self, matrix: Matrix, release: Release, out: Path) -> None:
        self.matrix = matrix
        self.release = release
        self.out = out
        self.document = variants.describe(matrix)

    def plan(self) -> list[tuple[Wheel, Row | None, Wheel | None]]:
        """Return what is to be made: a base wheel, and the row and wheel of a classifier, or None twice for `null`.

        A classifier of another platform than the base wheel, or without properties of its own, makes no variant. Where no
        row of the matrix has properties, there is nothing that `null` could be a variant of.
        """
        wanted = variants.labels(self.matrix)
        jobs: list[tuple[Wheel, Row | None, Wheel | None]] = []
        if not wanted:
            return jobs
        for base in self.release.bases:
            for row, wheel in self.release.classifiers:
                if row.label in wanted and common(base.name.platform, wheel.name.platform):
                    jobs.append((base, row, wheel))
            jobs.append((base, None, None))
        return jobs

    def make(self, base: Wheel, row: Row | None, classifier: Wheel | None) -> Assembled:
        """Write one variant wheel; raise `WheelError` where an input is damaged."""
        label = NULL if row is None else row.label
        entries = dict(base.entries)
        platform, time, requires = base.name.platform, base.time, []
        if row is not None and classifier is not None:
            entries |= self._library(base, row, classifier)
            platform = common(platform, classifier.name.platform)
            time = max(time, classifier.time)
            requires = [
                each
                for each in _requirements(classifier)
                if each not in _requirements(base) and not self._is_ours(each)
            ]
        name = dataclasses.replace(base.name, platform=platform, label=label)
        info = base.dist_info
        entries[f"{info}/METADATA"] = Entry(data=_with_requirements(base.metadata_bytes, requires))
        entries[f"{info}/WHEEL"] = Entry(data=_with_tags(base.read(f"{info}/WHEEL"), name))
        own = variants.for_label(self.document, label)
        entries[f"{info}/variant.json"] = Entry(data=variants.dumps(own).encode())
        path = self.out / name.filename
        return Assembled(path=path, unchanged=not write_wheel(path, entries, info, time))

    def write_index_file(self, made: Iterable[Assembled]) -> Assembled | None:
        """Write `<name>-<version>-variants.json` for the wheels that were made, and return it; None where none were."""
        present = {WheelName.parse(each.path.name).label for each in made}
        if not present:
            return None
        document = {
            **self.document,
            "variants": {label: value for label, value in self.document["variants"].items() if label in present},
        }
        first = self.release.bases[0].name
        path = self.out / variants.index_filename(first.distribution, first.version)
        return Assembled(path=path, unchanged=not write_atomically(path, variants.dumps(document)))

    def _library(self, base: Wheel, row: Row, classifier: Wheel) -> dict[str, Entry]:
        """Return the library of a classifier wheel and what lies beside it, as a part of the base package."""
        target = f"{self.matrix.project.package}/classifiers/{row.name}"
        folder = next(folder for folder, fields in classifier.manifests.items() if fields.get("Classifier") == row.name)
        moved: dict[str, Entry] = {}
        for name, entry in classifier.entries.items():
            if name.startswith(f"{folder}/") and name != f"{folder}/__init__.py":
                moved[target + name[len(folder) :]] = entry
            elif name.startswith(f"{classifier.dist_info}/sboms/"):
                # The parts list of the library goes where the library goes.
                moved[f"{base.dist_info}/sboms/{row.label}-{name.rpartition('/')[2]}"] = entry
            elif not name.startswith((f"{folder}/", f"{classifier.dist_info}/")):
                # What auditwheel put beside the package is found by a relative RPATH, which holds in one place only.
                msg = f"{classifier.path} has {name} outside of {folder}/, and it cannot be moved. Link it statically."
                raise WheelError(msg)
        return moved

    def _is_ours(self, requirement: str) -> bool:
        name = re.split(r"[\s;\[<>=!~(]", requirement, maxsplit=1)[0]
        return canonicalize_name(name) == canonicalize_name(self.matrix.project.distribution)


def migrate_file(path: Path) -> bool:
    """Bring the metadata of a variant wheel, or of an index, up to date; return whether the file changed.

    Raises `VariantError` or `WheelError` where there is nothing to bring up to date.
    """
    if path.suffix == ".json":
        try:
            document: Any = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            msg = f"{path} cannot be read: {error}. Name a -variants.json, or a wheel that has a label."
            raise VariantError(msg) from error
        return write_atomically(path, variants.dumps(migrate(document)))
    wheel = Wheel(path)
    if wheel.variant_json is None:
        msg = f"{path} has no variant.json. Name a wheel that has a label."
        raise VariantError(msg)
    if defects := wheel.defects():
        msg = f"{path} is damaged: {defects[0]}. Assemble it again."
        raise WheelError(msg)
    document = migrate(wheel.variant_json)
    if document == wheel.variant_json:
        return False
    entries = {**wheel.entries, f"{wheel.dist_info}/variant.json": Entry(data=variants.dumps(document).encode())}
    return write_wheel(path, entries, wheel.dist_info, wheel.time)


def _requirements(wheel: Wheel) -> list[str]:
    return [str(text) for text in wheel.metadata.get_all("Requires-Dist", [])]


def _with_requirements(metadata: bytes, requirements: list[str]) -> bytes:
    """Return METADATA with more Requires-Dist lines; no marker says the label, since no installer reads those today."""
    if not requirements:
        return metadata
    # Without a description there may be no blank line.
    end = re.search(rb"(\r?\n)\r?\n|(\r?\n)?\Z", metadata)
    at = end.start() if end else len(metadata)
    newline = b"\r\n" if b"\r\n" in metadata[: at + 2] else b"\n"
    lines = b"".join(newline + f"Requires-Dist: {requirement}".encode() for requirement in requirements)
    return metadata[:at] + lines + (metadata[at:] or newline)


def _with_tags(text: bytes, name: WheelName) -> bytes:
    lines = [line for line in text.splitlines() if line and not line.startswith(b"Tag:")]
    return b"\n".join([*lines, *(f"Tag: {tag}".encode() for tag in sorted(map(str, name.tags))), b""])
