"""A native file as the audit sees it, whatever its format: code, functions, and what runs when it is loaded.

Files are read with LIEF, one module per format. What is broken, cut short or made to do damage raises `BinaryError` only.
"""

from __future__ import annotations

import dataclasses
import struct
import warnings
from typing import TYPE_CHECKING, Literal

from variantkit.errors import BinaryError
from variantkit.interrupts import interrupt_deferred

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Binary", "Code", "Symbol", "format_of", "functions_of", "read_binary", "text_of", "with_symbols"]

Format = Literal["ELF", "PE", "Mach-O"]

# All that reading a file which was made to do damage raises beside `BinaryError`.
_DAMAGE = (ValueError, LookupError, RuntimeError, TypeError, AttributeError, OverflowError, MemoryError, struct.error)


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
    is_data: bool = False
    """It can be executed, but nothing says that it is code: it counts where something leads into it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Binary:
    """One image for one machine; all addresses are virtual ones, as the file has them before it is moved."""

    format: Format
    machine: str
    """"x86_64", "i386", "aarch64", or LIEF's name in lower case."""
    code: tuple[Code, ...]
    functions: tuple[Symbol, ...]
    """By address, with all names of a place; those without one (found by unwind tables) are called "0x1040"."""
    constructors: tuple[int, ...] = ()
    """What the loader calls before anything of the library can check the machine."""
    resolvers: tuple[int, ...] = ()
    """IFUNC resolvers, which the loader calls as well, and even earlier."""
    pointed: tuple[int, ...] = ()
    """Where relocations make pointers to: functions whose addresses are kept, vtables, or data beside them."""
    linked: tuple[tuple[int, int], ...] = ()
    """Slots that the loader fills with a place in code of this very file, and its address: what a PLT stub jumps through,
    or a call through a pointer that has a value from the start."""
    imported: tuple[int, ...] = ()
    """Slots in which it puts what another library has, or what a resolver chooses; of ELF files only."""
    asks_cpu: bool = False
    """It takes what the CPU has from another library, where GCC's runtime keeps it."""
    exported: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    """All that the loader loads for it, whatever an entry of its table is called."""
    auditors: tuple[str, ...] = ()
    """Those among them that the loader is to call for each library that it loads."""
    search_path: tuple[str, ...] = ()
    """RPATH and RUNPATH."""
    isa_note: str = ""
    """What the file itself says that it needs: "x86-64-v3", "" for nothing; of aarch64 "bti,pac"."""
    executable_stack: bool = False
    writable_code: bool = False
    """Something is mapped to be written to and to be executed, so that what is executed cannot be read in the file."""
    relocated_code: bool = False
    """The loader writes into what is executed, which is as bad."""
    build_id: str = ""
    """In hexadecimal: the GNU build id, the signature of a PDB, the UUID of a Mach-O file."""
    stripped: bool = False
    data_in_code: tuple[tuple[int, int], ...] = ()
    """Ranges, begin and end, that are known not to be code although they lie in an executable section."""

    @property
    def said(self) -> tuple[Code, ...]:
        """What is said to be code; what else can be executed is not the same any more in a stripped file."""
        return tuple(each for each in self.code if not each.is_data)


_ELF = b"\x7fELF"
_MACHO = frozenset({b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"})
_FAT = frozenset({b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"})
# What comes next in a class file of Java, which begins like a fat file, is its version: 45 and higher.
_MOST_IMAGES = 40
# The upper half of all addresses belongs to the kernel, on each of the three systems.
_HIGHEST = 1 << 63


def format_of(head: bytes) -> Format | None:
    """Return the format of a file that begins so, None where it is no native file; 64 bytes are enough."""
    magic = head[:4]
    if magic == _ELF:
        return "ELF"
    if magic in _MACHO:
        return "Mach-O"
    if magic in _FAT and len(head) >= 8 and int.from_bytes(head[4:8], "big") < _MOST_IMAGES:
        return "Mach-O"
    # A text may begin with these two letters; a header never does without a NUL.
    if magic[:2] == b"MZ" and b"\0" in head[:64]:
        return "PE"
    return None


def read_binary(data: bytes) -> tuple[Binary, ...]:
    """Return the images in a file, several for a fat Mach-O one.

    Raises `BinaryError`, whose message goes on after a file name, for a file that is none of these formats, damaged, or
    never loaded (an object file).
    """
    kind = format_of(data[:64])
    if kind is None:
        msg = "it is none of ELF, PE and Mach-O. Leave it out."
        raise BinaryError(msg)
    with interrupt_deferred():
        import lief

    # What it wonders about would go to stderr; what matters is raised.
    lief.logging.disable()
    try:
        with warnings.catch_warnings():
            # It warns of each number that it has no name for; those are compared, and are no harm.
            warnings.simplefilter("ignore", RuntimeWarning)
            images = _read(kind, data)
    except BinaryError:
        raise
    except _DAMAGE as error:
        msg = f"it is a damaged {kind} file: {str(error) or type(error).__name__}. Build it again."
        raise BinaryError(msg) from error
    for image in images:
        if any(code.address + len(code.data) > _HIGHEST for code in image.code):
            msg = f"it is a damaged {kind} file: its code lies where nothing can be loaded. Build it again."
            raise BinaryError(msg)
    return images


def _read(kind: Format, data: bytes) -> tuple[Binary, ...]:
    if kind == "ELF":
        from variantkit.audit.elf import read_elf

        return (read_elf(data),)
    if kind == "PE":
        from variantkit.audit.pe import read_pe

        return (read_pe(data),)
    from variantkit.audit.macho import read_macho

    return read_macho(data)


def functions_of(named: Iterable[Symbol], unwound: Iterable[tuple[int, int]]) -> tuple[Symbol, ...]:
    """Return the functions of a file: its symbols, and those that only the tables for unwinding the stack know.

    Of several names for one place, the one that knows its size and is the shortest comes first.
    """
    known, more = set(named), dict(unwound)
    sizes = {**more, **{each.address: each.size for each in known if each.size}}
    found = [each if each.size else dataclasses.replace(each, size=sizes.get(each.address, 0)) for each in known]
    places = {each.address for each in known}
    found += (Symbol(address=each, name=hex(each), size=size) for each, size in more.items() if each not in places)
    return tuple(sorted(set(found), key=lambda each: (each.address, not each.size, len(each.name), each.name)))


def text_of(name: str | bytes) -> str:
    """Return a name from a file; LIEF gives bytes where it is not UTF-8."""
    return name if isinstance(name, str) else name.decode("utf-8", "replace")


def with_symbols(binary: Binary, other: Binary) -> Binary:
    """Return `binary` with the functions of `other`, an unstripped build of the same code.

    Raises `BinaryError` when they are not the same code.
    """
    if (binary.format, binary.machine, binary.said) != (other.format, other.machine, other.said):
        same = "They have the same build id, so one was changed after it was built. " if _same_id(binary, other) else ""
        msg = f"the symbols are of other code. {same}Take those of this very build."
        raise BinaryError(msg)
    return dataclasses.replace(
        binary,
        functions=other.functions,
        resolvers=tuple(sorted({*binary.resolvers, *other.resolvers})),
        data_in_code=tuple(sorted({*binary.data_in_code, *other.data_in_code})),
        stripped=other.stripped,
    )


def _same_id(one: Binary, two: Binary) -> bool:
    return bool(one.build_id) and one.build_id == two.build_id
