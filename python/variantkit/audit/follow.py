"""Decode a span: from its first byte to its last, or along its control flow where there is data in it.

Compilers for x86-64 put no data between their instructions, so the first way is right for nearly all code, and fast.
Hand-written assembly has literal pools and jump tables, and a decoder that runs through them takes data for code and code
for the end of data. It is noticed by what no program holds, or by a jump into the middle of an instruction.
"""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING

from iced_x86 import Decoder, RflagsBits

from variantkit.audit.features_of import codes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from variantkit.audit.features_of import Codes
    from variantkit.audit.spans import Section, Span

__all__ = ["decode_along", "decode_through", "is_padding", "reads_flags_of", "slot_of_stub"]

_LONGEST = 15
_FLAGS = RflagsBits.CF | RflagsBits.ZF
_ALL = 2**64 - 1


class _Found:
    """What one decoding of a span finds."""

    __slots__ = ("base", "calls", "first", "goes_on", "guards", "jumps", "odd", "over", "slots", "tzcnt", "vectors")

    def __init__(self, section: Section) -> None:
        self.base = section.low
        self.first: dict[int, int] = {}
        self.vectors: list[int] = []
        # Where they lead, counted from the begin of the section as in `_decode`, and below it from 2**64.
        self.jumps: list[int] = []
        self.calls: list[int] = []
        self.tzcnt: list[int] = []
        self.guards: list[int] = []
        self.slots: list[int] = []
        self.odd = False
        self.goes_on = False
        self.over: int | None = None

    def add(self, other: _Found) -> None:
        for code, address in other.first.items():
            self.first[code] = min(address, self.first.get(code, address))
        for name in ("vectors", "jumps", "calls", "tzcnt", "guards", "slots"):
            getattr(self, name).extend(getattr(other, name))

    def targets(self, places: Iterable[int]) -> list[int]:
        """Return where jumps or calls lead, as addresses."""
        base = self.base
        return [(place + base) & _ALL for place in places]

    def put_into(self, span: Span, linked: Mapping[int, int]) -> list[int]:
        """Keep it in the span; return where it leads within the span, counted as here."""
        span.decoded = True
        span.first, span.vectors, span.tzcnt = self.first, tuple(self.vectors), tuple(sorted(self.tzcnt))
        span.guards, span.over = tuple(self.guards), self.over
        low, high = span.low - self.base, span.high - self.base
        # Most places are led to several times, and few are elsewhere: only those become addresses.
        targets = {*self.jumps, *self.calls}
        inside = [place for place in targets if low <= place < high]
        leaving = self.targets(targets.difference(inside))
        if self.slots:
            through = {linked[slot] for slot in self.slots if slot in linked}
            leaving += [target for target in through.difference(leaving) if not span.low <= target < span.high]
        span.leaving = tuple(leaving)
        return inside


def decode_through(section: Section, span: Span) -> None:
    """Decode a span from its first byte to its last; it is suspicious afterwards where that cannot be right."""
    found = _Found(section)
    end = _decode(codes(), section, found, span.low, span.high)
    found.over = end if found.goes_on else None
    inside = found.put_into(span, section.linked)
    span.suspicious = found.odd or not all(map(section.begins.__getitem__, inside))
    if span.suspicious and section.nameless:
        # Nothing says where its functions are, so the calls in it have to, although some of them may be none.
        called = found.targets(set(found.calls).intersection(inside))
        span.roots = (span.low, *called)


def _decode(table: Codes, section: Section, found: _Found, low: int, high: int) -> int:
    """Decode a range and return the address behind its last instruction."""
    kinds, tzcnt, through = table.linear, table.tzcnt, table.through
    begins, base = section.begins, section.low
    first, jumps, calls, vectors = found.first, found.jumps, found.calls, found.vectors
    branch, call, needs, counted = table.BRANCH, table.CALL, table.NEEDS, table.COUNTED
    vector, rare = needs | counted, table.ODD | table.RARE
    instruction = None
    # The loop of this program: for most instructions it does next to nothing, and next to nothing for the others; even
    # the addresses are counted from the begin of the section, which makes them small numbers (benchmarks/audit.py).
    for instruction in Decoder(64, section.part(low, high), ip=low - base):
        code = instruction.code
        begins[instruction.ip] = 1
        kind = kinds[code]
        if kind:
            if kind == branch:
                jumps.append(instruction.near_branch_target)
            elif kind == vector:
                vectors.append(code)
                if code not in first:
                    first[code] = instruction.ip + base
            elif kind == call:
                calls.append(instruction.near_branch_target)
            else:
                if kind & counted:
                    vectors.append(code)
                if kind & needs:
                    if code in tzcnt:
                        found.tzcnt.append(instruction.ip + base)
                    elif code not in first:
                        first[code] = instruction.ip + base
                if kind & branch:
                    jumps.append(instruction.near_branch_target)
                if kind & rare:
                    if code not in through:
                        found.odd |= bool(kind & table.ODD)
                        found.guards.append(code)
                    elif instruction.is_ip_rel_memory_operand:
                        found.slots.append((instruction.ip_rel_memory_address + base) & _ALL)
    if instruction is None:
        return low
    # A call at the end is one that does not come back, more often than not.
    found.goes_on = not table.kinds[instruction.code] & (table.ENDS | call | table.NOP)
    return instruction.next_ip + base


def decode_along(section: Section, span: Span, in_code: Sequence[tuple[int, int]]) -> None:
    """Decode what control flow reaches from the roots of a span, then what else in it can only be code.

    `in_code` has the executable ranges: a jump that leaves them was no instruction. What is neither reached nor code is
    put down in `undecoded`. Of data into which no jump or call leads, but an address that is taken, the rest stays data, up
    to where control flow leads to what cannot be read.
    """
    table, found = codes(), _Found(section)
    section.begins[span.low - section.low : span.high - section.low] = bytes(span.high - span.low)
    reached: dict[int, int] = {}
    roots = set(span.roots) if span.gap or span.data else {span.low, *span.roots}
    tried: set[int] = set()
    while True:
        unread = _reach(table, section, span, found, roots, reached)
        tried |= roots  # one where there is no instruction is never reached
        if span.data and not span.entered:
            span.undecoded = tuple((place, place + 1) for place in sorted(unread))
            found.put_into(span, section.linked)
            return
        left = list(_unreached(span, reached))
        roots = {root for low, high in left for root in _jump_table(section, span, low, high)} - reached.keys() - tried
        if not roots:
            break
    span.undecoded = tuple(
        (low, high)
        for low, high in left
        if not is_padding(section.part(low, high)) and not _read_as_code(table, section, found, low, high, in_code)
    )
    found.put_into(span, section.linked)


def _reach(
    table: Codes, section: Section, span: Span, found: _Found, roots: Iterable[int], reached: dict[int, int]
) -> set[int]:
    """Decode along the control flow, and put the length of each instruction at its address in `reached`.

    Return where there is no instruction.
    """
    unread: set[int] = set()
    todo = [root for root in roots if span.low <= root < span.high]
    while todo:
        low = end = todo.pop()
        # The last instruction may end behind the span, as one does whose prefix a jump skips.
        for instruction in Decoder(64, section.part(low, min(span.high + _LONGEST, section.high)), ip=low):
            if end in reached or end >= span.high:
                break
            if instruction.code == table.invalid:
                unread.add(end)
                break
            reached[end] = len(instruction)
            end = instruction.next_ip
            if table.kinds[instruction.code] & table.ENDS:
                break
        if low < end:
            known, called = len(found.jumps), len(found.calls)
            _decode(table, section, found, low, end)
            if found.goes_on and end >= span.high:
                found.over = end
            targets = found.targets([*found.jumps[known:], *found.calls[called:]])
            todo += [target for target in targets if span.low <= target < span.high]
    return unread


def _unreached(span: Span, reached: dict[int, int]) -> Iterable[tuple[int, int]]:
    position = span.low
    for address in sorted(reached):
        if address > position:
            yield position, address
        position = max(position, address + reached[address])
    if position < span.high:
        yield position, span.high


def _read_as_code(
    table: Codes, section: Section, found: _Found, low: int, high: int, in_code: Sequence[tuple[int, int]]
) -> bool:
    """Take a range for code (the cases of a jump table are reached by nothing else) if it reads as nothing but code."""
    trial = _Found(section)
    end = _decode(table, section, trial, low, high)
    jumps = trial.targets(trial.jumps)
    right = (
        not trial.odd
        and end == high
        and all(any(first <= target < last for first, last in in_code) for target in jumps)
        and all(any(first <= target < last for first, last in in_code) for target in trial.targets(trial.calls))
        and all(section.begins[target - section.low] for target in jumps if low <= target < high)
    )
    if right:
        found.add(trial)
    else:
        section.begins[low - section.low : high - section.low] = bytes(high - low)
    return right


def _jump_table(section: Section, span: Span, low: int, high: int) -> set[int]:
    """Return where a jump table at the begin of a range leads: two or more offsets from its begin to places in the span."""
    low = (low + 3) & ~3
    targets: set[int] = set()
    for (offset,) in struct.iter_unpack("<i", section.part(low, low + max(high - low, 0) // 4 * 4)):
        target = low + offset
        if not span.low <= target < span.high or low <= target < low + 4:
            break
        targets.add(target)
    return targets if len(targets) > 1 else set()


@functools.lru_cache(maxsize=4096)
def is_padding(data: bytes) -> bool:
    """Return whether bytes are what compilers and linkers fill up with: zeros, int3 and NOPs of any length."""
    if not data.strip(b"\0\x90\xcc"):
        return True
    if len(data) > 4 * _LONGEST:
        return False
    table = codes()
    return all(
        table.kinds[instruction.code] & table.NOP for instruction in Decoder(64, data.rstrip(b"\0"), ip=0)
    ) or all(table.kinds[instruction.code] & table.NOP for instruction in Decoder(64, data, ip=0))


def reads_flags_of(section: Section, address: int) -> bool:
    """Return whether the carry or zero flag of the TZCNT at an address is used; BSF sets them in another way."""
    decoder = Decoder(64, section.part(address, min(address + 6 * _LONGEST, section.high)), ip=address)
    table = codes()
    for number, instruction in enumerate(decoder):
        if number == 0:
            continue
        if instruction.rflags_read & _FLAGS:
            return True
        if instruction.rflags_modified & _FLAGS == _FLAGS or table.kinds[instruction.code] & (table.ENDS | table.CALL):
            return False
    return False


def slot_of_stub(section: Section, address: int) -> int | None:
    """Return the slot that the stub at an address jumps through, as those of a PLT do; None where it is no stub."""
    table = codes()
    for instruction in Decoder(64, section.part(address, min(address + 2 * _LONGEST, section.high)), ip=address):
        if not table.kinds[instruction.code] & table.NOP:
            jumps = instruction.code in table.through and table.kinds[instruction.code] & table.ENDS
            return instruction.ip_rel_memory_address if jumps and instruction.is_ip_rel_memory_operand else None
    return None
