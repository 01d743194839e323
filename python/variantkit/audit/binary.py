"""A native file as the audit sees it, whatever its format: code, functions, and what runs when it is loaded.

Files are read with LIEF, one module per format. What is broken, cut short or made to do damage raises `BinaryError` only.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from variantkit.errors import BinaryError

__all__ = ["Binary", "Code", "Symbol", "is_native", "read_binary", "with_symbols"]

Format = Literal["ELF", "PE", "Mach-O"]


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Symbol:
    """A function; its size is 0 where it is not known."""

    address: int
    name: str
    size: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Code:
    """One executable section, or the executable part of a segment where a file has no sections."""

    section: str
    address: int
    data: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Binary:
    """One image for one machine; all addresses are virtual ones, as the file has them before it is moved."""

    format: Format
    machine: str
    """"x86_64", "i386", "aarch64", or LIEF's name in lower case."""
    code: tuple[Code, ...]
    functions: tuple[Symbol, ...]
    """By address; those without a name (found by unwind tables) are called by their address, "0x1040"."""
    constructors: tuple[int, ...] = ()
    """What the loader calls before anything of the library can check the machine."""
    resolvers: tuple[int, ...] = ()
    """IFUNC resolvers, which the loader calls as well, and even earlier."""
    exported: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    search_path: tuple[str, ...] = ()
    """RPATH and RUNPATH."""
    isa_note: str = ""
    """What the file itself says that it needs: "x86-64-v3", "" for nothing; of aarch64 "bti,pac"."""
    executable_stack: bool = False
    build_id: str = ""
    """In hexadecimal: the GNU build id, the signature of a PDB, the UUID of a Mach-O file."""
    stripped: bool = False
    data_in_code: tuple[tuple[int, int], ...] = ()
    """Ranges, begin and end, that are known not to be code although they lie in an executable section."""


def is_native(head: bytes) -> bool:
    """Return whether a file that begins so is one that `read_binary` should be able to read."""
    return head[:4] == b"\x7fELF"


def read_binary(data: bytes) -> tuple[Binary, ...]:
    """Return the images in a file, several for a fat Mach-O one.

    Raises `BinaryError` for a file that is none of these formats, damaged, or for another use (an object file, a static
    library).
    """
    msg = f"{len(data)} bytes cannot be read yet. Wait for it."
    raise BinaryError(msg)


def with_symbols(binary: Binary, other: Binary) -> Binary:
    """Return `binary` with the functions of `other`, an unstripped build of the same code.

    Raises `BinaryError` when they are not the same code.
    """
    if binary.build_id != other.build_id:
        msg = "These are not the same code. Take the symbols of this very build."
        raise BinaryError(msg)
    return dataclasses.replace(binary, functions=other.functions)
