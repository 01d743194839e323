"""What an ELF file says of itself: libraries, places to look for them, and the machines that it is for."""

from __future__ import annotations

import itertools
import operator
import struct
from typing import TYPE_CHECKING

import lief

from variantkit.audit.binary import text_of
from variantkit.errors import BinaryError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["auditors", "executable_stack", "isa_note", "needed", "search_path", "writable_code"]

_SEGMENT = lief.ELF.Segment.TYPE
_FLAGS = lief.ELF.Segment.FLAGS
# Where there is no PT_GNU_STACK, the kernel and glibc take the stack of these machines for executable.
_EXECUTABLE_BY_DEFAULT = frozenset({"x86_64", "i386"})

_STRTAB = 5
_FILTERS = frozenset({0x7FFFFFFD, 0x7FFFFFFF})  # DT_AUXILIARY, DT_FILTER
_AUDITORS = frozenset({0x6FFFFEFB, 0x6FFFFEFC})  # DT_DEPAUDIT, DT_AUDIT
_LONGEST_NAME = 4096

_PROPERTIES = 5
_X86_NEEDED, _ARM_FEATURES = 0xC0008002, 0xC0000000
_LEVELS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
_MOST_NOTES = 1 << 22
_ARM = ("bti", "pac")


def needed(elf: lief.ELF.Binary, data: bytes) -> tuple[str, ...]:
    """Return all libraries that are loaded with a file."""
    more = _named(elf, data, _FILTERS | _AUDITORS)
    return tuple(dict.fromkeys((*map(text_of, elf.libraries), *more)))


def auditors(elf: lief.ELF.Binary, data: bytes) -> tuple[str, ...]:
    """Return the libraries that are to watch the loader."""
    return tuple(dict.fromkeys(_named(elf, data, _AUDITORS)))


def _named(elf: lief.ELF.Binary, data: bytes, tags: frozenset[int]) -> Iterator[str]:
    """Return the libraries in entries that LIEF has no names for."""
    entry = struct.Struct("<QQ" if _is_wide(elf) else "<II")
    for table in _contents(elf, data, _SEGMENT.DYNAMIC):
        entries = list(
            itertools.takewhile(
                operator.itemgetter(0), entry.iter_unpack(table[: len(table) // entry.size * entry.size])
            )
        )
        strings = next((value for tag, value in entries if tag == _STRTAB), 0)
        for tag, value in entries:
            if tag in tags:
                name = _string(elf, data, strings + value)
                yield from name.split(":") if tag in _AUDITORS else [name]


def _string(elf: lief.ELF.Binary, data: bytes, address: int) -> str:
    for segment in elf.segments:
        place = address - segment.virtual_address
        if segment.type == _SEGMENT.LOAD and 0 <= place < segment.physical_size:
            begin = segment.file_offset + place
            return data[begin : begin + _LONGEST_NAME].partition(b"\0")[0].decode("utf-8", "replace")
    return "?"


def _contents(elf: lief.ELF.Binary, data: bytes, kind: lief.ELF.Segment.TYPE) -> Iterator[bytes]:
    for segment in elf.segments:
        if segment.type == kind:
            yield data[segment.file_offset : segment.file_offset + segment.physical_size]


def _is_wide(elf: lief.ELF.Binary) -> bool:
    return elf.header.identity_class == lief.ELF.Header.CLASS.ELF64


def search_path(elf: lief.ELF.Binary) -> tuple[str, ...]:
    """Return the places in RPATH and RUNPATH; an empty place among others is the current directory."""
    found: list[str] = []
    for entry in elf.dynamic_entries:
        path = ""
        if isinstance(entry, lief.ELF.DynamicEntryRpath):
            path = text_of(entry.rpath)
        elif isinstance(entry, lief.ELF.DynamicEntryRunPath):
            path = text_of(entry.runpath)
        found += path.split(":") if path else []
    return tuple(found)


def isa_note(elf: lief.ELF.Binary, data: bytes) -> str:
    """Return what the notes that are loaded say, as `Binary.isa_note` has it; sections are nothing to the loader."""
    levels, marks = 0, 0
    wide = 8 if _is_wide(elf) else 4
    notes = {*_contents(elf, data, _SEGMENT.GNU_PROPERTY), *_contents(elf, data, _SEGMENT.NOTE)}
    if sum(map(len, notes)) > _MOST_NOTES:
        msg = "it is a damaged ELF file: its notes have no end. Build it again."
        raise BinaryError(msg)
    for content in notes:
        for number, values in _properties(content, wide):
            if number == _X86_NEEDED:
                levels |= values
            elif number == _ARM_FEATURES:
                marks |= values
    if levels:
        return next((level for bit, level in reversed(list(enumerate(_LEVELS))) if levels >> bit & 1), "")
    return ",".join(mark for bit, mark in enumerate(_ARM) if marks >> bit & 1)


def _properties(content: bytes, align: int) -> Iterator[tuple[int, int]]:
    """Return the properties in the notes of a segment that are numbers of 32 bits."""
    place = 0
    while place + 12 <= len(content):
        name_size, size, kind = struct.unpack_from("<III", content, place)
        name = content[place + 12 : place + 12 + name_size]
        begin = place + 12 + -(-name_size // 4) * 4
        if kind == _PROPERTIES and name == b"GNU\0":
            note = content[begin : begin + size]
            at = 0
            while at + 8 <= len(note):
                number, length = struct.unpack_from("<II", note, at)
                if length == 4 and at + 12 <= len(note):
                    yield number, int.from_bytes(note[at + 8 : at + 12], "little")
                at += 8 + -(-length // align) * align
        # Notes with properties are aligned to eight bytes, others to four.
        place = begin + -(-size // 4) * 4


def executable_stack(elf: lief.ELF.Binary, machine: str) -> bool:
    """Return whether a file asks for an executable stack, be it by not saying anything of it."""
    stack = elf.get(_SEGMENT.GNU_STACK)
    if stack is None:
        return machine in _EXECUTABLE_BY_DEFAULT
    return stack.has(_FLAGS.X)


def writable_code(elf: lief.ELF.Binary) -> bool:
    """Return whether something is mapped both to be written to and to be executed."""
    return any(each.type == _SEGMENT.LOAD and each.has(_FLAGS.W) and each.has(_FLAGS.X) for each in elf.segments)
