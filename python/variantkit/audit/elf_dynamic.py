"""The dynamic section of an ELF file, which ld.so goes by: that there is one way alone to read it."""

from __future__ import annotations

import struct
from collections import Counter

import lief

from variantkit.errors import BinaryError

__all__ = ["check_dynamic"]

_TAG = lief.ELF.DynamicEntry.TAG
_SEGMENT = lief.ELF.Segment.TYPE
# ld.so takes the last one of each, and other readers the first.
_ONCE = frozenset(
    {
        _TAG.FINI,
        _TAG.FINI_ARRAY,
        _TAG.FINI_ARRAYSZ,
        _TAG.GNU_HASH,
        _TAG.HASH,
        _TAG.INIT,
        _TAG.INIT_ARRAY,
        _TAG.INIT_ARRAYSZ,
        _TAG.JMPREL,
        _TAG.PLTREL,
        _TAG.PLTRELSZ,
        _TAG.PREINIT_ARRAY,
        _TAG.PREINIT_ARRAYSZ,
        _TAG.REL,
        _TAG.RELA,
        _TAG.RELAENT,
        _TAG.RELASZ,
        _TAG.RELENT,
        _TAG.RELR,
        _TAG.RELRENT,
        _TAG.RELRSZ,
        _TAG.RELSZ,
        _TAG.STRSZ,
        _TAG.STRTAB,
        _TAG.SYMENT,
        _TAG.SYMTAB,
    }
)


def check_dynamic(elf: lief.ELF.Binary) -> None:
    """Raise `BinaryError` where ld.so would read something else in the dynamic section than is read here."""
    segments = [each for each in elf.segments if each.type == _SEGMENT.DYNAMIC]
    if len(segments) > 1:
        msg = f"it is a damaged ELF file: it has a dynamic section {_times(len(segments))}. Build it again."
        raise BinaryError(msg)
    tags = [each.tag for each in elf.dynamic_entries]
    for tag, number in Counter(tags).items():
        if number > 1 and tag in _ONCE:
            msg = f"it is a damaged ELF file: its dynamic section has DT_{tag.name} {_times(number)}. Build it again."
            raise BinaryError(msg)
    wide = elf.header.identity_class == lief.ELF.Header.CLASS.ELF64
    form = "<QQ" if wide else "<II"
    size = struct.calcsize(form) * len(tags)
    loads = [each for each in elf.segments if each.type == _SEGMENT.LOAD]
    for segment in segments:
        begin = segment.virtual_address
        # A file of debug information alone has nothing there.
        if not any(0 <= begin - load.virtual_address < load.physical_size for load in loads):
            continue
        content = bytes(elf.get_content_from_virtual_address(begin, size))
        # What was read may be that of a section, which is nothing to ld.so.
        values = [value for _, value in struct.iter_unpack(form, content)] if len(content) == size else []
        if (
            tags[-1:] != [_TAG.NULL]
            or segment.physical_size < size
            or values != [each.value for each in elf.dynamic_entries]
        ):
            msg = "it is a damaged ELF file: its dynamic section does not end where it says. Build it again."
            raise BinaryError(msg)


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"
