"""Addresses that code takes, or that the loader puts into memory: what a jump through a pointer may lead to.

Nearly all of them are of functions, and known. Of the others, most are of tables, which are read; and some are of code
that nothing else leads to.
"""

from __future__ import annotations

import bisect
import re
import struct
from typing import TYPE_CHECKING

from iced_x86 import Code, Decoder, InstructionInfoFactory, OpAccess, OpKind, Register, RegisterExt

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
_MOVES = frozenset({Code.MOV_R64_RM64, Code.MOV_RM64_R64})
_WRITES = frozenset({OpAccess.WRITE, OpAccess.READ_WRITE})
# What is done with an address that is taken; of several, the last one counts.
_READ, _TAKEN, _JUMPED_TO = range(3)


class Taken:
    """The addresses in code that are taken, each of which is tried once."""

    def __init__(self, sections: Sequence[Section], binary: Binary) -> None:
        self.sections = sections
        self.lows = [section.low for section in sections]
        # What has the name of a function, and lies where nothing says that there is code, is no more than that.
        named = (each.address for each in binary.functions)
        self.pointed = {*binary.pointed, *(named if any(section.is_data for section in sections) else ())}
        self.tried: dict[int, int] = {}

    def found(self) -> list[tuple[Section, Span]]:
        """Return the spans that have to be decoded again, along their control flow and from new roots."""
        again: dict[int, tuple[Section, Span]] = {}
        for address, use in sorted(self._addresses().items()):
            section = self._section(address)
            if section is None or section.begins[address - section.low] or self.tried.get(address, -1) >= use:
                continue
            self.tried[address] = use
            span = section.span_at(address)
            if not (span.data or span.decoded or use == _JUMPED_TO):
                continue  # padding
            if use == _JUMPED_TO:
                # As sure as a direct jump: what cannot be read there is reported and not passed over.
                span.roots += (address,)
                span.entered |= not section.is_data
            elif use == _TAKEN and self._is_code(section, span, address):
                span.roots += (address,)
            elif span.data or span.undecoded:
                continue
            # If it is data, then it was taken for code, and what stands behind it may have been swallowed.
            again[id(span)] = section, span
        return list(again.values())

    def _addresses(self) -> dict[int, int]:
        """Return the addresses that are taken, and the most that is done with each."""
        found = dict.fromkeys(self.pointed, _TAKEN)
        if self.sections:
            found.update(dict.fromkeys(self._behind(), _TAKEN))
        for address, use in self._by_lea() if self.sections else ():
            found[address] = max(found.get(address, _READ), use)
        return found

    def _behind(self) -> Iterator[int]:
        """Give the data right behind a function that ends in a call or a NOP: most such calls do not come back."""
        for section in self.sections:
            before = None
            for span in section.spans if not section.is_data else ():
                if span.data:
                    if before is not None and not _is_ended(section, before):
                        yield span.low
                    before = None
                elif span.decoded:
                    before = span
                # The rest is padding, which is run through.

    def _by_lea(self) -> Iterator[tuple[int, int]]:
        """Give the addresses that LEA takes and at which no instruction begins, and what is done with each."""
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
                            yield address, _use(section, lea)

    def _section(self, address: int) -> Section | None:
        section = self.sections[max(bisect.bisect_right(self.lows, address) - 1, 0)]
        return section if section.low <= address < section.high else None

    def _is_code(self, section: Section, span: Span, address: int) -> bool:
        """Return whether what is at an address reads as code, wherever it jumps, until it ends or leads to other code.

        What may be data has to need something of the CPU as well, or to lead on: else it is the same what it is. Where it
        has needed something, what is unlikely behind that is believed.
        """
        table = codes()
        doubted = span.data or any(low <= address < high for low, high in span.undecoded)
        matters, needs = not doubted, False
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
                if kind & table.ODD or place >= span.high:
                    return False
                if doubted and code in table.unlikely:
                    return needs
                seen.add(place)
                needs |= bool(kind & table.NEEDS)
                matters |= needs or (code in _LEAS and instruction.is_ip_rel_memory_operand)
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


def _use(section: Section, lea: Instruction) -> int:
    """Return what is done with the address that was taken, as far as the next instructions show it."""
    table, infos, is_read = codes(), InstructionInfoFactory(), False
    holds = {RegisterExt.full_register(lea.op0_register)}
    part = section.part(lea.next_ip, min(lea.next_ip + _NEAR * _LONGEST, section.high))
    for number, each in enumerate(Decoder(64, part, ip=lea.next_ip)):
        if each.code in table.through and each.op0_kind == OpKind.REGISTER:
            if each.op0_register in holds:
                return _JUMPED_TO
            break
        if number == _NEAR or table.kinds[each.code] & (table.ENDS | table.CALL):
            break
        if each.code not in _LEAS:
            is_read |= not holds.isdisjoint({each.memory_base, each.memory_index} - {Register.NONE})
        if each.code in _MOVES and each.op1_kind == each.op0_kind == OpKind.REGISTER and each.op1_register in holds:
            holds.add(each.op0_register)
            continue
        for used in infos.info(each).used_registers():
            if used.access in _WRITES:
                holds.discard(RegisterExt.full_register(used.register))
        if not holds:
            break
    return _READ if is_read else _TAKEN


def _is_ended(section: Section, span: Span) -> bool:
    """Return whether the last instruction of a span is one that nothing falls through."""
    table = codes()
    for begin in range(span.high - 1, max(span.high - _LONGEST, span.low) - 1, -1):
        if section.begins[begin - section.low]:
            return bool(table.kinds[Decoder(64, section.part(begin, span.high), ip=begin).decode().code] & table.ENDS)
    return True
