"""Addresses that code takes, or that the loader puts into memory: what a jump through a pointer may lead to.

Nearly all of them are of functions, and known. Of the others, most are of tables, which are read; and some are of code
that nothing else leads to.
"""

from __future__ import annotations

import bisect
import re
import struct
from typing import TYPE_CHECKING

from iced_x86 import Code, Decoder, OpKind

from variantkit.audit.features_of import codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iced_x86 import Instruction

    from variantkit.audit.binary import Binary
    from variantkit.audit.spans import Section, Span

__all__ = ["Taken"]

# LEA and the form of its operand that counts from where it is itself; what stands before it are prefixes.
_LEA = re.compile(rb"\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)
_LEAS = frozenset({Code.LEA_R64_M, Code.LEA_R32_M, Code.LEA_R16_M})
_PREFIXES = 10
_LONGEST = 15
# No code of that many bytes is without an end or a jump back.
_LONG = 1 << 16
# So many instructions after an address was taken are looked at for what is done with it.
_NEAR = 12


class Taken:
    """The addresses in code that are taken, each of which is tried once."""

    def __init__(self, sections: Sequence[Section], binary: Binary) -> None:
        self.sections = sections
        self.lows = [section.low for section in sections]
        # What has the name of a function, and lies where nothing says that there is code, is no more than that.
        named = (each.address for each in binary.functions)
        self.pointed = {*binary.pointed, *(named if any(section.is_data for section in sections) else ())}
        self.tried: set[int] = set()

    def found(self) -> list[tuple[Section, Span]]:
        """Return the spans that have to be decoded again, along their control flow and from new roots."""
        again: dict[int, tuple[Section, Span]] = {}
        for address, is_read in sorted(self._addresses().items()):
            section = self._section(address)
            if section is None or section.begins[address - section.low] or address in self.tried:
                continue
            self.tried.add(address)
            span = section.span_at(address)
            if not (span.data or span.decoded):
                continue  # padding
            if not is_read and self._is_code(section, span, address):
                span.roots += (address,)
            elif span.data or span.undecoded:
                continue
            # If it is data, then it was taken for code, and what stands behind it may have been swallowed.
            again[id(span)] = section, span
        return list(again.values())

    def _addresses(self) -> dict[int, bool]:
        """Return the addresses that are taken, and whether each is only read from, as a table is."""
        found = dict.fromkeys(self.pointed, False)
        for address, is_read in self._by_lea() if self.sections else ():
            found[address] = found.get(address, True) and is_read
        return found

    def _by_lea(self) -> Iterator[tuple[int, bool]]:
        """Give the addresses that LEA takes and at which no instruction begins."""
        lowest, highest = self.lows[0], self.sections[-1].high
        offset_at = struct.Struct("<i").unpack_from
        for section in self.sections:
            data, behind = section.bytes, section.low + 6
            for match in _LEA.finditer(data, 0, max(len(data) - 4, 0)):
                place = match.start()
                address = behind + place + offset_at(data, place + 2)[0]
                if lowest <= address < highest:
                    there = self._section(address)
                    if there is not None and not there.begins[address - there.low]:
                        lea = _lea_at(section, place)
                        if lea is not None and lea.ip_rel_memory_address == address:
                            yield address, _is_read(section, lea)

    def _section(self, address: int) -> Section | None:
        section = self.sections[max(bisect.bisect_right(self.lows, address) - 1, 0)]
        return section if section.low <= address < section.high else None

    def _is_code(self, section: Section, span: Span, address: int) -> bool:
        """Return whether what is at an address reads as code, wherever it jumps, until it ends or leads to other code.

        What may be data has to need something of the CPU as well, or to lead on: else it is the same what it is.
        """
        table = codes()
        doubted = span.data or any(low <= address < high for low, high in span.undecoded)
        matters = not doubted
        if self._is_jump_table(section, address):
            return False
        todo, seen = [address], set[int]()
        while todo:
            low = todo.pop()
            ends = False
            part = section.part(low, min(span.high + _LONGEST, section.high, low + _LONG))
            for instruction in Decoder(64, part, ip=low):
                place, code = instruction.ip, instruction.code
                if place in seen or section.begins[place - section.low]:
                    ends = True
                    break
                kind = table.kinds[code]
                if kind & table.ODD or place >= span.high or (doubted and code in table.unlikely):
                    return False
                seen.add(place)
                matters |= bool(kind & table.NEEDS) or (code in _LEAS and instruction.is_ip_rel_memory_operand)
                if kind & (table.BRANCH | table.CALL):
                    target = instruction.near_branch_target
                    if span.low <= target < span.high:
                        todo.append(target)
                    elif not self._is_there(target):
                        return False
                    else:
                        matters = True
                if kind & table.ENDS:
                    ends = True
                    break
            if not ends:
                return False
        return matters

    def _is_there(self, target: int) -> bool:
        """Return whether a jump may lead to an address: to an instruction, or to what may be one."""
        section = self._section(target)
        return section is not None and (bool(section.begins[target - section.low]) or section.span_at(target).data)

    def _is_jump_table(self, section: Section, address: int) -> bool:
        """Return whether two offsets from an address, which are there, lead to instructions, be it of another section."""
        for offset in struct.unpack("<2i", section.part(address, address + 8).ljust(8, b"\0")):
            there = self._section(address + offset) if offset else None
            if there is None or not there.begins[address + offset - there.low]:
                return False
        return True


def _lea_at(section: Section, place: int) -> Instruction | None:
    """Return the LEA whose opcode is at a place in a section, if that is what was decoded there."""
    for begin in range(place, max(place - _PREFIXES, -1), -1):
        if section.begins[begin]:
            data = section.bytes[begin : begin + _LONGEST]
            instruction = Decoder(64, data, ip=section.low + begin).decode()
            return instruction if instruction.code in _LEAS and instruction.is_ip_rel_memory_operand else None
    return None


def _is_read(section: Section, lea: Instruction) -> bool:
    """Return whether memory is read at the address that was taken, and it is not jumped to."""
    table, register, is_read = codes(), lea.op0_register, False
    part = section.part(lea.next_ip, min(lea.next_ip + _NEAR * _LONGEST, section.high))
    for number, each in enumerate(Decoder(64, part, ip=lea.next_ip)):
        is_register = each.op0_kind == OpKind.REGISTER
        if is_register and each.code in table.through:
            return is_read and each.op0_register != register
        if number == _NEAR or table.kinds[each.code] & (table.ENDS | table.CALL):
            break
        if each.code not in _LEAS:
            is_read |= register in {each.memory_base, each.memory_index}
        if is_register and each.op0_register == register:
            break
    return is_read
