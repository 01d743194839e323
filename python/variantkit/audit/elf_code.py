"""What is mapped executable of an ELF file: sections that are code, and what else lies in their segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lief

from variantkit.audit.binary import Code, text_of
from variantkit.audit.pieces import PAGE, up_to_a_page, within
from variantkit.errors import BinaryError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["code_of"]

_MOST_SEGMENTS = 256
"""No linker makes a tenth of them."""


def code_of(elf: lief.ELF.Binary, data: bytes) -> tuple[Code, ...]:
    """Return the executable sections, then what executable segments have beside them.

    Of a segment that no executable section is in, all is taken for code: section headers can be stripped.
    Raises `BinaryError` where what is mapped at an address cannot be told from the file.
    """
    loads = [each for each in elf.segments if each.type == lief.ELF.Segment.TYPE.LOAD]
    _check_pages(loads)
    found = list(_sections(elf, loads, len(data)))
    known = [(each.address, each.address + len(each.data)) for each in found]
    for segment in filter(_runs, loads):
        offset, size, begin = segment.file_offset, segment.physical_size, segment.virtual_address
        end = begin + size
        if offset + size > len(data):
            msg = "it is an ELF file that was cut short: an executable segment ends behind it. Build it again."
            raise BinaryError(msg)
        if not size:
            continue
        if not any(first < end and begin < last for first, last in known):
            found.append(Code(section="", address=begin, data=data[offset : offset + size]))
            known.append((begin, end))
        # The rest of the first and of the last page is mapped as well.
        low, first = begin - begin % PAGE, offset - begin % PAGE
        pages = data[first : first + up_to_a_page(end) - low]
        found += within("", low, pages, known)
        known.append((low, low + len(pages)))
    return tuple(found)


def _runs(segment: lief.ELF.Segment) -> bool:
    return segment.has(lief.ELF.Segment.FLAGS.X)


def _check_pages(loads: list[lief.ELF.Segment]) -> None:
    """Raise `BinaryError` where a page that is executed would come from two places of the file, or from none."""
    if len(loads) > _MOST_SEGMENTS:
        msg = f"it is a damaged ELF file: {len(loads)} segments are to be loaded. Build it again."
        raise BinaryError(msg)
    highest, ahead, runs = -1, 0, False
    for segment in sorted(loads, key=lambda each: each.virtual_address):
        begin, end = segment.virtual_address, segment.virtual_address + segment.physical_size
        if begin == end:
            continue
        offset = begin - segment.file_offset
        if _runs(segment) and offset % PAGE:
            msg = "one of its executable segments cannot be mapped where it says. Build it again."
            raise BinaryError(msg)
        if begin - begin % PAGE < highest and offset != ahead and (runs or _runs(segment)):
            msg = "two of its segments are loaded at the same address. Build it again."
            raise BinaryError(msg)
        if up_to_a_page(end) > highest:
            highest, ahead, runs = up_to_a_page(end), offset, _runs(segment)


def _sections(elf: lief.ELF.Binary, loads: list[lief.ELF.Segment], length: int) -> Iterator[Code]:
    for section in elf.sections:
        if not section.has(lief.ELF.Section.FLAGS.EXECINSTR) or section.type == lief.ELF.Section.TYPE.NOBITS:
            continue
        if section.offset + section.size > length:
            msg = f"it is an ELF file that was cut short: {text_of(section.name)} ends behind it. Build it again."
            raise BinaryError(msg)
        if section.size:
            _check_mapping(section, loads)
            yield Code(section=text_of(section.name), address=section.virtual_address, data=bytes(section.content))


def _check_mapping(section: lief.ELF.Section, loads: list[lief.ELF.Segment]) -> None:
    """Raise `BinaryError` where other bytes are loaded at the address of a section than its header says."""
    begin, end = section.virtual_address, section.virtual_address + section.size
    for segment in loads:
        low, size = segment.virtual_address, segment.physical_size
        if end <= low or low + size <= begin:
            continue
        if section.offset - segment.file_offset != begin - low:
            msg = f"its section {text_of(section.name)} is not what is loaded at that address. Build it again."
            raise BinaryError(msg)
