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
_KNOWN = _RELATIVE | _RESOLVED | _SYMBOLIC | _SLOTS


@dataclasses.dataclass(frozen=True, kw_only=True)
class AtLoad:
    """What is in fields of the same name of a `Binary`; `resolvers` are those that relocations name."""

    constructors: tuple[int, ...]
    resolvers: frozenset[int]
    linked: tuple[tuple[int, int], ...]
    imported: tuple[int, ...]
    pointed: tuple[int, ...]
    relocated_code: bool


def at_load(elf: lief.ELF.Binary, inside: Callable[[int], bool]) -> AtLoad:
    """Return what is done with a file when it is loaded; constructors come in the order in which they are called.

    Raises `BinaryError` where what is called is not `inside` of what can be executed, or cannot be told.
    """
    pointer = 8 if elf.header.identity_class == lief.ELF.Header.CLASS.ELF64 else 4
    arrays = list(_arrays(elf))
    resolvers: set[int] = set()
    linked: set[tuple[int, int]] = set()
    imported: set[int] = set()
    pointed = {elf.header.entrypoint, *_values(elf, _TAG.FINI)}
    # The file may have anything where a relocation is going to write.
    relocated: dict[int, int] = {}
    relocated_code = False
    decoded = elf.header.machine_type == lief.ELF.ARCH.X86_64
    # Those of sections alone, which linkers keep if they are asked to, are nothing to the loader.
    for each in (*elf.dynamic_relocations, *elf.pltgot_relocations):
        kind, place, target = each.type, each.address, 0
        relocated_code = relocated_code or inside(place)
        if kind in _RELATIVE or kind in _RESOLVED:
            target = each.addend if each.is_rela else _stored(elf, place, pointer)
        elif (kind in _SYMBOLIC or kind in _SLOTS) and _is_here(each):
            # That of another library has no address here.
            target = each.symbol.value if each.symbol is not None else 0
            if kind in _SYMBOLIC:
                target += each.addend if each.is_rela else _stored(elf, place, pointer)
        if kind in _RESOLVED:
            resolvers.add(target)
        elif target:
            pointed.add(target)
            linked.add((place, target))
        if not target or kind in _RESOLVED:
            imported.add(place)
        for begin, end in arrays:
            if begin - pointer < place < end:
                if (
                    (decoded and kind not in _KNOWN)
                    # Some loaders add that, and others do not.
                    or (kind in _SLOTS and each.addend)
                    or (place - begin) % pointer
                    or relocated.get(place, target) != target
                ):
                    msg = "what runs while it is loaded cannot be told from its relocations. Build it again."
                    raise BinaryError(msg)
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
        imported=tuple(sorted(imported)),
        linked=tuple(sorted((slot, target) for slot, target in linked if inside(target))),
        pointed=tuple(sorted(target for target in pointed if target and inside(target))),
        relocated_code=relocated_code,
    )


def _is_here(relocation: lief.ELF.Relocation) -> bool:
    """Return whether ld.so takes the symbol of a relocation from the file itself.

    It does not look up what nobody else can see: the symbol 0, of which only the addend counts, and others like it.
    """
    symbol = relocation.symbol
    if symbol is None:
        return relocation.info == 0
    return (
        bool(symbol.value)
        or symbol.binding == lief.ELF.Symbol.BINDING.LOCAL
        or symbol.visibility in {lief.ELF.Symbol.VISIBILITY.HIDDEN, lief.ELF.Symbol.VISIBILITY.INTERNAL}
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
