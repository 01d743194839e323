"""Files on their way into a repository: what is read of them, and what keeps them out."""

from __future__ import annotations

import contextlib
import dataclasses
import email.parser
import gzip
import hashlib
import io
import re
import tarfile
import zlib
from typing import TYPE_CHECKING

from packaging.utils import InvalidSdistFilename, parse_sdist_filename

from variantkit.attestations import provenance
from variantkit.errors import IndexingError, WheelError
from variantkit.files import write_atomically
from variantkit.generations import SIDECARS
from variantkit.origin import check_origin
from variantkit.pages import VARIANTS_SUFFIX, File
from variantkit.repair import row_of
from variantkit.variant_problems import problems
from variantkit.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from variantkit.matrix import Matrix

__all__ = ["Incoming", "files_in", "inspect", "is_attested", "is_intact", "store"]


# What needs no escaping in an address.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Incoming:
    """A file that is to be published."""

    source: Path
    file: File
    project: str
    metadata: bytes | None = None
    variant: dict[str, object] | None = None
    provenance: bytes | None = None


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Return the wheels and sdists among files and in directories; files of variants are derived and passed over."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted([*path.glob("*.whl"), *path.glob("*.tar.gz")])
        elif not path.name.endswith(VARIANTS_SUFFIX):
            found.append(path)
    return sorted(found, key=lambda path: path.name)


def inspect(path: Path, time: str, matrix: Matrix | None = None) -> Incoming:
    """Read what a page says of a file; raise `IndexingError` or `WheelError` when it cannot be published.

    With a `matrix`, that includes a wheel of its project that was built from another version of classifiers.toml.
    """
    metadata: bytes | None = None
    variant: dict[str, object] | None = None
    if path.name.endswith(".whl"):
        wheel = Wheel(path)
        # A published file cannot be changed, so all of it is looked at before.
        if defects := wheel.defects():
            msg = f"{path} is damaged: {defects[0]}. Build it again."
            raise WheelError(msg)
        if matrix is not None and row_of(matrix, wheel) is not None:
            check_origin(wheel, matrix)
        project, metadata, variant = wheel.name.project, wheel.metadata_bytes, wheel.variant_json
        requires_python = wheel.metadata.get("Requires-Python")
        if bool(variant) != bool(wheel.name.label):
            msg = f"{path} has a label without a variant.json, or the other way round. Assemble it again."
            raise IndexingError(msg)
        if found := problems(variant, wheel.name.label) if variant else []:
            msg = f"{path} has a variant.json that installers would not take: {found[0]}. Assemble it again."
            raise IndexingError(msg)
    else:
        project, requires_python = _inspect_sdist(path)
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    attested = provenance(path, digest)
    file = File(
        filename=path.name,
        sha256=digest,
        size=len(data),
        requires_python=requires_python,
        core_metadata=hashlib.sha256(metadata).hexdigest() if metadata is not None else None,
        upload_time=time,
    )
    if attested is not None:
        file = dataclasses.replace(file, provenance=f"../../{file.place}.provenance")
    return Incoming(source=path, file=file, project=project, metadata=metadata, variant=variant, provenance=attested)


def store(new: Incoming, folder: Path) -> None:
    """Put a file in its place in the repository `folder`, which was announced before, and what belongs beside it.

    Raises `IndexingError` where its content is not any more what was looked at.
    """
    place = folder / new.file.place
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with contextlib.suppress(FileNotFoundError), new.source.open("rb") as source, place.open("wb") as target:
            while data := source.read(1 << 20):
                digest.update(data)
                target.write(data)
        if digest.hexdigest() != new.file.sha256:
            place.unlink(missing_ok=True)
            msg = f"{new.source} was changed, or removed, while it was being published. Publish again."
            raise IndexingError(msg)
    elif hashlib.sha256(place.read_bytes()).hexdigest() != new.file.sha256:
        # Somebody has damaged it there; what is there stays until the right content is.
        data = new.source.read_bytes()
        if hashlib.sha256(data).hexdigest() == new.file.sha256:
            write_atomically(place, data)
    # An attestation may come after its file, and another one in place of the first.
    for ending, content in zip(SIDECARS, (new.metadata, new.provenance), strict=True):
        if content is not None:
            beside = place.with_name(place.name + ending)
            write_atomically(beside, content) if beside.exists() else beside.write_bytes(content)


def is_intact(new: Incoming, folder: Path) -> bool:
    """Return whether a published file is what it should be: its own content and what belongs beside it."""
    place = folder / new.file.place
    try:
        same = hashlib.sha256(place.read_bytes()).hexdigest() == new.file.sha256
        metadata = place.with_name(place.name + SIDECARS[0])
        return same and (new.metadata is None or metadata.read_bytes() == new.metadata)
    except OSError:
        return False


def is_attested(new: Incoming, folder: Path) -> bool:
    """Return whether the repository has the provenance that comes with a file, or none comes."""
    place = folder / new.file.place
    try:
        return new.provenance in (None, place.with_name(place.name + SIDECARS[1]).read_bytes())
    except OSError:
        return new.provenance is None


def _inspect_sdist(path: Path) -> tuple[str, str | None]:
    try:
        name = parse_sdist_filename(path.name)[0]
        if not _PLAIN.fullmatch(path.name):
            raise InvalidSdistFilename(path.name)
        # All of it, since the checksum of what was compressed is at its end.
        data = gzip.decompress(path.read_bytes())
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = archive.extractfile(f"{path.name.removesuffix('.tar.gz')}/PKG-INFO")
            text = (member.read() if member is not None else b"").decode()
    except (InvalidSdistFilename, OSError, KeyError, EOFError, ValueError, tarfile.TarError, zlib.error) as error:
        msg = f"{path} is neither a wheel nor an sdist that can be published: {error}. Build it again, or leave it out."
        raise IndexingError(msg) from error
    return str(name), email.parser.Parser().parsestr(text).get("Requires-Python")
