"""Machine code for the tests of the audit: assembled by gcc, or put together from bytes."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

from variantkit.audit.binary import Binary, Code, Symbol, read_binary
from variantkit.audit.decode import CodeUse, FunctionUse, code_use

__all__ = ["assembled", "code", "features", "function", "needs", "without_names"]


def assembled(compiler: str, folder: Path, source: str, *options: str) -> Path:
    """Assemble a shared library that needs nothing; all functions are local, unless the source says something else."""
    path = folder / "library.so"
    (folder / "library.s").write_text(
        f'.intel_syntax noprefix\n.text\n{source}\n.section .note.GNU-stack,"",@progbits\n'
    )
    command = [compiler, "-shared", "-nostdlib", *options, str(folder / "library.s"), "-o", str(path)]
    subprocess.run(command, check=True)
    return path


def function(name: str, body: str) -> str:
    """Return the assembly of a function with a size."""
    lines = body.replace(";", "\n")
    return f".p2align 4\n.type {name}, @function\n{name}:\n{lines}\n.size {name}, .-{name}\n"


def code(data: bytes, *symbols: tuple[str, int, int], base: int = 0x1000, **more: object) -> Binary:
    """Return a binary of one section with functions at these offsets."""
    functions = tuple(Symbol(name=name, address=base + low, size=size) for name, low, size in symbols)
    binary = Binary(
        format="ELF", machine="x86_64", code=(Code(section=".text", address=base, data=data),), functions=functions
    )
    return dataclasses.replace(binary, **more)  # type: ignore[arg-type] -- the tests give fields of Binary


def needs(path: Path) -> CodeUse:
    (binary,) = read_binary(path.read_bytes())
    return code_use(binary)


def features(use: CodeUse) -> dict[str, set[str]]:
    """Return the features of each function by name."""
    found: dict[str, set[str]] = {}
    for each in use.functions:
        for name in each.names:
            found.setdefault(name, set()).update(each.features)
    return found


def without_names(use: CodeUse) -> list[tuple[int, set[str]]]:
    """Return where features are needed, whatever the functions are called."""
    return sorted((each.address, set(each.features)) for each in _needy(use))


def _needy(use: CodeUse) -> list[FunctionUse]:
    return [each for each in use.functions if each.features]
