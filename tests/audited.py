"""Made-up releases with compiled kernel libraries, to be audited."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import tiny_wheels
from native_files import compiled
from variantkit.features import LEVELS
from variantkit.matrix import Matrix, Row

__all__ = ["ENTRY", "kernels", "level_matrix", "manifest"]

ENTRY = '__attribute__((visibility("default"))) int demo_open(int x) { return x + 1; }\n'
HIDDEN = "-fvisibility=hidden"


def level_matrix(**changes: object) -> Matrix:
    """The matrix of `demo` with the rows generic (x86-64) and avx2 (x86-64-v3), whose rows get `changes`."""
    rows = [
        dataclasses.replace(each, features=tuple(sorted(LEVELS[each.level])), **changes)
        for each in tiny_wheels.matrix(tiny_wheels.row("avx2", 20)).classifier
    ]
    made = tiny_wheels.matrix(*rows[1:])
    project = dataclasses.replace(made.project, exports=("demo_open",))
    return dataclasses.replace(made, project=project, classifier=tuple(rows))


def kernels(
    compiler: str, folder: Path, level: str, source: str = ENTRY, *options: str, note: str | None = None
) -> bytes:
    """Compile a kernel library for a level, with its ISA note or another one ("" for none)."""
    note = level if note is None and level != "x86-64" else note
    flags = [f"-march={level}", HIDDEN, *([f"-Wl,-z,{note}"] if note else []), *options]
    loop = "" if level == "x86-64" else "__attribute__((used)) static void add(float *x) "
    loop += "" if level == "x86-64" else "{ for (int i = 0; i < 64; i++) x[i] += 1.0f; }\n"
    return compiled(compiler, folder, source + loop, "-O3", *flags).read_bytes()


def manifest(row: Row | str, library: str, distribution: str = "demo") -> bytes:
    name = row if isinstance(row, str) else row.name
    return f"Manifest-Version: 1\nDistribution: {distribution}\nClassifier: {name}\nLibrary: {library}\n".encode()
