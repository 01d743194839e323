"""Addresses that code takes, or that the loader puts into memory: what a jump through a pointer may lead to.

Nearly all of them are of functions, and known. Of the others, some are of tables that lie between functions, and are
read; and some are of code that nothing else leads to.
"""

from __future__ import annotations

import bisect
import re
import struct
from typing import TYPE_CHECKING

from iced_x86 import Code, Decoder

from variantkit.audit.features_of import codes
from variantkit.audit.follow import is_padding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from variantkit.audit.binary import Binary
    from variantkit.audit.spans import Section, Span

__all__ = ["Taken"]

# LEA and the form of its operand that counts from where it is itself; what stands before it are prefixes.
_LEA = re.compile(rb"\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)
_LEAS = frozenset({Code.LEA_R64_M, Code.LEA_R32_M, Code.LEA_R16_M})
_PREFIXES = 10
_LONGEST = 15


class Taken:
    """The addresses in code that are taken, each of which is tried once."""

    def __init__(self, sections: Sequence[Section], binary: Binary) -> None:
        self.sections = sections
        self.lows = [section.low for section in sections]
        # What has the name of a function, and lies where nothing says that there is code, is no more than that.
        named = (each.address for each in binary.functions)
        self.pointed = sorted({*binary.pointed, *(named if any(section.is_data for section in sections) else ())})
        self.tried: set[int] = set()

    def found(self) -> list[tuple[Section, Span]]:
        """Return the spans that have to be decoded again, along their control flow and from new roots."""
        again: dict[int, tuple[Section, Span]] = {}
        for address in sorted({*self.pointed, *self._by_lea()}) if self.sections else ():
            section = self._section(address)
            if section is None or section.begins[address - section.low] or address in self.tried:
                continue
            self.tried.add(address)
            span = section.span_at(address)
            if not span.data and is_padding(section.part(address, span.high)):
                continue
            if self._is_code(section, span, address):
                span.roots += (address,)
            elif span.data or span.undecoded:
                continue
            # If it is data, then it was taken for code, and what stands behind it may have been swallowed.
            again[id(span)] = section, span
        return list(again.values())

    def _section(self, address: int) -> Section | None:
        number = bisect.bisect_right(self.lows, address) - 1
        section = self.sections[max(number, 0)]
        return section if section.low <= address < section.high else None

    def _is_there(self, target: int) -> bool:
        """Return whether a jump may lead to an address: to an instruction, or to what may be one."""
        section = self._section(target)
        return section is not None and (bool(section.begins[target - section.low]) or section.span_at(target).data)

    def _by_lea(self) -> Iterator[int]:
        """Give the addresses that LEA takes and at which no instruction begins."""
        lowest, highest = self.lows[0], self.sections[-1].high
        offset_at = struct.Struct("<i").unpack_from
        for section in self.sections:
            data, low, end = section.bytes, section.low + 6, len(section.bytes) - 6
            for match in _LEA.finditer(data, 0, max(end + 2, 0)):
                place = match.start()
                address = low + place + offset_at(data, place + 2)[0]
                if lowest <= address < highest:
                    there = self._section(address)
                    if there is not None and not there.begins[address - there.low] and _is_lea(section, place, address):
                        yield address

    def _is_code(self, section: Section, span: Span, address: int) -> bool:
        """Return whether what is at an address reads as code, wherever it jumps, until it ends or leads to other code."""
        table = codes()
        if _is_jump_table(section, address):
            return False
        todo, seen = [address], set[int]()
        while todo:
            low = todo.pop()
            ends = low in seen
            for instruction in Decoder(64, section.part(low, min(span.high + _LONGEST, section.high)), ip=low):
                place, kind = instruction.ip, table.kinds[instruction.code]
                if place in seen or section.begins[place - section.low]:
                    ends = True
                    break
                if kind & table.ODD or place >= span.high:
                    return False
                seen.add(place)
                if kind & (table.BRANCH | table.CALL):
                    target = instruction.near_branch_target
                    if span.low <= target < span.high:
                        todo.append(target)
                    elif not self._is_there(target):
                        return False
                if kind & table.ENDS:
                    ends = True
                    break
            if not ends:
                return False
        return True


def _is_lea(section: Section, place: int, address: int) -> bool:
    """Return whether an instruction that was decoded takes this address; `place` is behind its prefixes."""
    for begin in range(place, max(place - _PREFIXES, -1), -1):
        if section.begins[begin]:
            instruction = Decoder(64, section.bytes[begin : begin + _LONGEST], ip=section.low + begin).decode()
            return instruction.code in _LEAS and instruction.ip_rel_memory_address == address
    return False


def _is_jump_table(section: Section, address: int) -> bool:
    """Return whether two offsets from an address, which are there, lead to instructions."""
    offsets = struct.unpack("<2i", section.part(address, address + 8).ljust(8, b"\0"))
    return all(
        section.low <= address + offset < section.high and offset and section.begins[address + offset - section.low]
        for offset in offsets
    )
