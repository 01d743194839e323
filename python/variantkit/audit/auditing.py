"""The audit as a whole: from paths to a result."""

from __future__ import annotations

import hashlib
import importlib.util
import time
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from variantkit.audit.binary import read_binary
from variantkit.audit.files import NO_MEMORY, natives, sources
from variantkit.audit.model import Audited, Image, Package
from variantkit.audit.result import AuditFinding, AuditResult
from variantkit.audit.rules import chosen, register
from variantkit.audit.symbols import SymbolMap
from variantkit.check.findings import shown
from variantkit.errors import BinaryError, UncheckedError, WheelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from variantkit.audit.binary import Binary
    from variantkit.audit.decode import CodeUse
    from variantkit.audit.files import Native, Source
    from variantkit.audit.rules import Problem
    from variantkit.matrix import Matrix, Row
    from variantkit.rulebook import Rule

__all__ = ["audit", "check_tools"]

_TOOLS = {"lief": "lief", "iced_x86": "iced-x86"}


def audit(
    paths: Sequence[Path],
    *,
    matrix: Matrix | None,
    level: str = "",
    symbols: Path | None = None,
    allow_undecoded: bool = False,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    progress: Callable[[str], object] = lambda _: None,
) -> AuditResult:
    """Audit the native files of wheels, folders of wheels, folders of packages and native files alone.

    Each is held against its row of the matrix, or, where a `level` is given, all against that one; where there is neither,
    the result says what they need. `symbols` is a folder with unstripped builds. Code that cannot be decoded, because it is
    for another machine than x86-64, is not audited, unless it is allowed. Raises `WheelError` for a path that is neither,
    and `UncheckedError` when a tool is missing without which nothing can be audited; everything else is in the result.
    `progress` is told in a few words what is looked at next.
    """
    started = time.monotonic()
    check_tools()
    from variantkit.audit import ceiling

    register()

    reader = _Reader(
        matrix=None if level else matrix,
        level=level,
        symbols=symbols,
        allow_undecoded=allow_undecoded,
        progress=progress,
    )
    found = list(sources(paths))
    packages = tuple(reader.read(each, f"[{number}/{len(found)}] ") for number, each in enumerate(found, 1))
    audited = Audited(packages=packages, matrix=reader.matrix)
    needs = [ceiling.needed_level(each) for each in audited.images if not each.label and each.use is not None]
    rules = [each for each in chosen(select, ignore) if each.needs != "matrix" or reader.matrix is not None]
    if not rules:
        reader.unaudited.append("None of these rules can be run on these files. Choose others with --select.")
    findings: set[AuditFinding] = set()
    for each in rules:
        progress(f"{each.id} {each.name}")
        problems, why = _find(each, audited)
        findings |= {_finding(each, problem) for problem in problems}
        reader.unaudited += (
            f"{shown(problem.file)}: {problem.member}: {_finding(each, problem).message}"
            for problem in problems
            if problem.unaudited
        )
        reader.unaudited += why
    return AuditResult(
        findings=tuple(sorted(findings)),
        rules=tuple(each.id for each in rules),
        files=reader.files,
        instructions=reader.instructions,
        seconds=time.monotonic() - started,
        unaudited=tuple(dict.fromkeys(reader.unaudited)),
        notes=tuple(dict.fromkeys([*reader.notes, *ceiling.notes_on_tzcnt(audited.images)])),
        needs=tuple(sorted(needs)),
        asking=tuple(
            dict.fromkeys(
                (each.file, each.member) for each in audited.images if each.use is not None and each.use.detects
            )
        ),
    )


def _find(each: Rule[Audited, Problem], audited: Audited) -> tuple[list[Problem], list[str]]:
    """Return what a rule finds, and why it could not be audited."""
    try:
        return list(each.find(audited)), []
    except UncheckedError as error:
        return [], [f"{each.id}: {error}"]
    except OSError as error:
        return [], [f"{each.id}: {error.filename} cannot be read: {error.strerror}. Mend that first."]
    except MemoryError:
        return [], [f"{each.id}: {NO_MEMORY}"]


def check_tools() -> None:
    """Raise `UncheckedError` where what every audit needs is not installed."""
    missing = [name for module, name in _TOOLS.items() if importlib.util.find_spec(module) is None]
    if missing:
        msg = (
            f"Nothing can be audited without {' and '.join(missing)}. "
            f"Install what is missing: python -m pip install 'variantkit[release]'"
        )
        raise UncheckedError(msg)


class _Reader:
    """Reads sources, and notes what could not be audited."""

    def __init__(
        self,
        *,
        matrix: Matrix | None,
        level: str,
        symbols: Path | None,
        allow_undecoded: bool,
        progress: Callable[[str], object],
    ) -> None:
        self.progress = progress
        self.matrix = matrix
        self.level = level
        self.allow_undecoded = allow_undecoded
        self.symbols = SymbolMap(symbols)
        self.unaudited: list[str] = []
        self.notes: list[str] = []
        self.files = self.instructions = 0
        self._known: dict[bytes, tuple[list[tuple[Binary, CodeUse | None, str]], str]] = {}

    def read(self, source: Source, number: str) -> Package:
        row, before = self._row_of_name(source), self.files
        try:
            self.progress(f"{number}{shown(source.path)}")
            found, manifests = natives(source)
            images = tuple(self._images(source, found, manifests, row, number))
            self._check_manifests(source, manifests, images, row)
        except WheelError as error:
            self.unaudited.append(f"{shown(source.path)} {error}")
            images = ()
        if source.path.is_dir() and self.files == before:
            self.unaudited.append(
                f"{shown(source.path)} holds no native file. Name the folder of a package, or of wheels."
            )
        return Package(path=source.path, name=source.name, row=row, images=images)

    def _check_manifests(
        self, source: Source, manifests: Mapping[str, dict[str, str]], images: Sequence[Image], row: Row | None
    ) -> None:
        """Note each MANIFEST that is not of a library beside it, or of another classifier than the wheel is for."""
        libraries = {each.member for each in images if each.kernel}
        for folder, fields in manifests.items():
            library = fields.get("Library", "")
            if (f"{folder}/{library}" if folder else library) not in libraries:
                self.unaudited.append(
                    f"{shown(source.path)}: {folder}/MANIFEST is of {library or 'nothing'}, which is no native file beside it. "
                    f"Build the wheel again."
                )
        if row is None or self.matrix is None or source.name is None:
            return
        label = source.name.label
        own = next((each for each in self.matrix.rows if label and each.label == label), row)
        for fields in manifests.values():
            if not _same(fields.get("Distribution", ""), self.matrix.project.distribution):
                continue
            if self._row_of_manifest(fields) not in (row, own):
                self.unaudited.append(
                    f"{shown(source.path)} has a library of {fields.get('Classifier')!r} by its MANIFEST, and its name says "
                    f"{own.name!r}. Build it again; do not rename wheels."
                )
        if row is not self.matrix.base and not libraries:
            self.unaudited.append(f"{shown(source.path)} is for {row.name!r} and has no library. Build it again.")

    def _images(
        self,
        source: Source,
        found: Iterable[Native],
        manifests: Mapping[str, dict[str, str]],
        row: Row | None,
        number: str,
    ) -> Iterator[Image]:
        for native in found:
            self.files += 1
            place = f"{shown(source.path)}: {native.member}"
            self.progress(f"{number}{place}")
            if native.broken:
                self.unaudited.append(f"{place}: {native.broken}")
                continue
            # A MANIFEST speaks for the library that it names, and for nothing else that lies near it.
            folder, _, file = native.member.rpartition("/")
            fields = manifests.get(folder, {})
            kernel = bool(fields) and fields.get("Library") == file
            for binary, use, why in self._decoded(native.data, place):
                if why:
                    self.notes.append(f"{place}: {why}")
                yield Image(
                    file=source.path,
                    member=native.member,
                    binary=binary,
                    use=use,
                    row=(self._row_of_manifest(fields) if kernel else None) or row,
                    level=self.level,
                    kernel=kernel,
                    size=len(native.data),
                )

    def _decoded(self, data: bytes, place: str) -> Iterator[tuple[Binary, CodeUse | None, str]]:
        """Return the images of a file, what their code needs, and why an unstripped build was not taken for names."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._known:
            # A release has the same library in many wheels.
            self._known[digest] = self._read(data)
            self.instructions += sum(use.instructions for _, use, _ in self._known[digest][0] if use is not None)
        images, broken = self._known[digest]
        if broken:
            self.unaudited.append(f"{place}: {broken}")
        for binary, use, why in images:
            if use is None:
                self._undecoded(binary, place)
            yield binary, use, why

    def _read(self, data: bytes) -> tuple[list[tuple[Binary, CodeUse | None, str]], str]:
        from variantkit.audit.decode import code_use

        try:
            images = []
            for image in read_binary(data):
                binary, why = self.symbols.named(image)
                images.append((binary, code_use(binary) if binary.machine == "x86_64" else None, why))
        except MemoryError:
            return [], NO_MEMORY
        except BinaryError as error:
            return [], NO_MEMORY if isinstance(error.__cause__, MemoryError) else str(error)
        return images, ""

    def _undecoded(self, binary: Binary, place: str) -> None:
        note = f"; its note says {binary.isa_note}" if binary.isa_note else ""
        text = f"{place}: code for {binary.machine} is not decoded{note}"
        if self.allow_undecoded:
            self.notes.append(text)
        else:
            self.unaudited.append(f"{text}. Give --allow-undecoded if the rest of the audit is enough.")

    def _row_of_manifest(self, fields: Mapping[str, str]) -> Row | None:
        matrix = self.matrix
        if matrix is None or not fields or not _same(fields.get("Distribution", ""), matrix.project.distribution):
            return None
        return next((row for row in matrix.rows if row.name == fields.get("Classifier")), None)

    def _row_of_name(self, source: Source) -> Row | None:
        """Return the row that all of a wheel is for by its name: that of its label or of its classifier, or the base's."""
        if self.matrix is None or source.name is None:
            return None
        project = self.matrix.project.distribution
        if _same(source.name.project, project):
            return self.matrix.base
        return next((row for row in self.matrix.rows if _same(source.name.project, f"{project}-{row.name}")), None)


def _same(one: str, two: str) -> bool:
    return canonicalize_name(one) == canonicalize_name(two)


def _finding(each: Rule[Audited, Problem], problem: Problem) -> AuditFinding:
    mend = each.mend if problem.mend is None else problem.mend
    return AuditFinding(
        file=problem.file,
        member=problem.member,
        rule=each.id,
        message=f"{problem.what.rstrip('.')}. {mend}" if mend else problem.what,
        level=problem.level or each.level,
        symbol=problem.symbol,
        address=problem.address,
        instruction=problem.instruction,
        feature=problem.feature,
        features=problem.features,
        mend=mend,
        constructor=problem.constructor,
    )
