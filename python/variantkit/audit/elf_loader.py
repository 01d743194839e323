"""What ld.so does with an ELF file: which of its functions it calls, and whose addresses it writes down where."""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING

import lief

from variantkit.errors import BinaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["AtLoad", "at_load"]

_TAG = lief.ELF.DynamicEntry.TAG
_RELOCATION = lief.ELF.Relocation.TYPE
# The value is the address, moved with the file; what is added to it comes with the relocation.
_RELATIVE = frozenset({_RELOCATION.X86_64_RELATIVE, _RELOCATION.X86_RELATIVE, _RELOCATION.AARCH64_RELATIVE})
_RESOLVED = frozenset({_RELOCATION.X86_64_IRELATIVE, _RELOCATION.X86_IRELATIVE, _RELOCATION.AARCH64_IRELATIVE})
_SYMBOLIC = frozenset({_RELOCATION.X86_64_64, _RELOCATION.X86_32, _RELOCATION.AARCH64_ABS64})
_SLOTS = frozenset({_RELOCATION.X86_64_JUMP_SLOT, _RELOCATION.X86_64_GLOB_DAT})


@dataclasses.dataclass(frozen=True, kw_only=True)
class AtLoad:
    """What is in fields of the same name of a `Binary`; `resolvers` are those that relocations name."""

    constructors: tuple[int, ...]
    resolvers: frozenset[int]
    linked: tuple[tuple[int, int], ...]
    pointed: tuple[int, ...]


def at_load(elf: lief.ELF.Binary, inside: Callable[[int], bool]) -> AtLoad:
    """Return what is done with a file when it is loaded; constructors come in the order in which they are called.

    Raises `BinaryError` where what is called is not `inside` of what can be executed.
    """
    pointer = 8 if elf.header.identity_class == lief.ELF.Header.CLASS.ELF64 else 4
    arrays = list(_arrays(elf))
    resolvers: set[int] = set()
    linked: set[tuple[int, int]] = set()
    pointed = {elf.header.entrypoint, *_values(elf, _TAG.FINI)}
    # The file may have anything where a relocation is going to write.
    relocated: dict[int, int] = {}
    for each in elf.relocations:
        kind, place = each.type, each.address
        if kind in _RESOLVED:
            resolvers.add(each.addend if each.is_rela else _stored(elf, place, pointer))
        elif kind in _RELATIVE:
            target = each.addend if each.is_rela else _stored(elf, place, pointer)
            pointed.add(target)
            if any(begin <= place < end for begin, end in arrays):
                relocated[place] = target
        elif kind in _SYMBOLIC or kind in _SLOTS:
            # That of another library has no address here.
            symbol = each.symbol
            if symbol is None or not symbol.value:
                continue
            if kind in _SLOTS:
                if symbol.shndx:
                    pointed.add(symbol.value)
                    linked.add((place, symbol.value))
                continue
            target = symbol.value + (each.addend if each.is_rela else _stored(elf, place, pointer))
            pointed.add(target)
            if any(begin <= place < end for begin, end in arrays):
                relocated[place] = target
    constructors = dict.fromkeys(_called(elf, arrays, pointer, relocated))
    for address in (*resolvers, *constructors):
        if not inside(address):
            msg = (
                f"what runs while it is loaded, at {address:#x}, lies outside of its code, and cannot be read. "
                f"Link it so that code lies in executable sections."
            )
            raise BinaryError(msg)
    return AtLoad(
        constructors=tuple(constructors),
        resolvers=frozenset(resolvers),
        linked=tuple(sorted((slot, target) for slot, target in linked if inside(target))),
        pointed=tuple(sorted(target for target in pointed if target and inside(target))),
    )


def _arrays(elf: lief.ELF.Binary) -> Iterator[tuple[int, int]]:
    for tag, size in ((_TAG.PREINIT_ARRAY, _TAG.PREINIT_ARRAYSZ), (_TAG.INIT_ARRAY, _TAG.INIT_ARRAYSZ)):
        for begin in _values(elf, tag):
            for length in _values(elf, size):
                yield begin, begin + length


def _values(elf: lief.ELF.Binary, tag: lief.ELF.DynamicEntry.TAG) -> list[int]:
    entry = elf.get(tag)
    return [entry.value] if isinstance(entry, lief.ELF.DynamicEntry) else []


def _called(
    elf: lief.ELF.Binary, arrays: list[tuple[int, int]], pointer: int, relocated: dict[int, int]
) -> Iterator[int]:
    yield from _values(elf, _TAG.INIT)
    for begin, end in arrays:
        if (end - begin) // pointer > 1_000_000:
            msg = "it is a damaged ELF file: its .init_array has no end. Build it again."
            raise BinaryError(msg)
        for place in range(begin, end - pointer + 1, pointer):
            target = relocated[place] if place in relocated else _stored(elf, place, pointer)
            # 0 and -1 are passed over by the loader, and another library's function has no address here.
            if target not in {0, (1 << 8 * pointer) - 1}:
                yield target


def _stored(elf: lief.ELF.Binary, address: int, size: int) -> int:
    content = bytes(elf.get_content_from_virtual_address(address, size))
    if len(content) < size:
        return 0
    (value,) = struct.unpack("<Q" if size == 8 else "<I", content)
    return int(value)
