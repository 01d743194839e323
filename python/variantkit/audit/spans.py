"""An executable section, cut into spans: one per function, and one for what lies between functions."""

from __future__ import annotations

import bisect
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from variantkit.audit.binary import Binary, Code

__all__ = ["Section", "Span", "sections_of"]


class Span:
    """Code that is decoded from its first byte on, and what was found in it.

    There is one per function, so they hold tuples: Python's garbage collector need not look into those again and again.
    """

    roots: tuple[int, ...] = ()
    """Where control flow enters it from outside, besides its first byte."""
    decoded = False
    suspicious = False
    """Not all of it decodes to what a program would hold, so its control flow has to be followed."""
    first: Mapping[int, int] = types.MappingProxyType({})
    """The first address of each iced-x86 code that needs something of the CPU; TZCNT has a list of its own."""
    tzcnt: tuple[int, ...] = ()
    vectors: tuple[int, ...] = ()
    """The code of each instruction with a vector encoding."""
    leaving: tuple[int, ...] = ()
    """The targets of direct jumps and calls that are outside."""
    over: int | None = None
    """Where it goes on behind its end, because its last instruction is none that ends it."""
    entered = False
    """Control flow leads into it directly, so that a symbol which calls it data is wrong about all of it."""
    guards: tuple[int, ...] = ()
    undecoded: tuple[tuple[int, int], ...] = ()

    def __init__(self, low: int, high: int, names: tuple[str, ...], *, gap: bool = False, data: bool = False) -> None:
        self.low = low
        self.high = high
        self.names = names
        self.gap = gap
        """No symbol says that this is a function."""
        self.data = data
        """Something says that it is not code, or nothing says that it is."""


class Section:
    """One executable section: its bytes, its spans by address, and the addresses at which an instruction begins."""

    def __init__(self, code: Code, spans: list[Span], linked: Mapping[int, int]) -> None:
        self.low = code.address
        self.high = code.address + len(code.data)
        self.bytes = code.data
        self.is_data = code.is_data
        self.spans = spans
        self.linked = linked
        """Slots in which the loader puts the address of a function of the same file."""
        self.begins = bytearray(len(code.data) + 1)
        self.nameless = all(span.gap or span.data for span in spans)
        """There is no function in it of which a symbol says where it begins."""
        self._lows = [span.low for span in spans]

    def span_at(self, address: int) -> Span:
        """Return the span that has `address`, which is in this section."""
        return self.spans[max(bisect.bisect_right(self._lows, address) - 1, 0)]

    def part(self, low: int, high: int) -> bytes:
        """Return the bytes from `low` up to `high`."""
        return self.bytes[low - self.low : high - self.low]


def sections_of(binary: Binary) -> list[Section]:
    """Return the executable sections of a binary, by address, each cut into spans."""
    entries: dict[int, tuple[int, list[str]]] = {}
    for symbol in binary.functions:
        size, names = entries.setdefault(symbol.address, (0, []))
        names.append(symbol.name)
        entries[symbol.address] = max(size, symbol.size), names
    for address in (*binary.constructors, *binary.resolvers):
        entries.setdefault(address, (0, [f"{address:#x}"]))
    starts = sorted(entries)
    sections, linked = [], dict(binary.linked)
    for code in sorted(binary.code, key=lambda code: code.address):
        low, high = code.address, code.address + len(code.data)
        here = starts[bisect.bisect_left(starts, low) : bisect.bisect_left(starts, high)]
        whole = list(_cut(low, high, [(start, *entries[start]) for start in here], code.section))
        if code.is_data:
            for span in whole:
                span.data = True
        if whole:
            ranges = () if code.is_data else binary.data_in_code
            sections.append(Section(code, list(_without(whole, ranges)), linked))
    return sections


def _cut(low: int, high: int, entries: list[tuple[int, int, list[str]]], section: str) -> Iterator[Span]:
    """Cover `low` to `high` with spans; where symbols overlap, the one that begins last has it."""
    position, outer_end = low, low
    outer_names: tuple[str, ...] = ()
    for number, (start, size, names) in enumerate(entries):
        if position < start:
            yield from _between(position, start, outer_end, outer_names, section)
        following = entries[number + 1][0] if number + 1 < len(entries) else high
        end = min(start + size if size else following, following, high)
        yield Span(start, end, tuple(dict.fromkeys(names)))
        if start + size > max(outer_end, end):
            outer_end, outer_names = min(start + size, high), tuple(names)
        position = end
    yield from _between(position, high, outer_end, outer_names, section)


def _between(low: int, high: int, outer_end: int, outer: tuple[str, ...], section: str) -> Iterator[Span]:
    """Give the rest of a function that another symbol lies in, and then what belongs to no function."""
    if low < (end := min(outer_end, high)):
        yield Span(low, end, outer)
        low = end
    if low < high:
        # A section without any symbol, such as .plt, has a better name than an address.
        yield Span(low, high, (section if section not in {"", ".text"} else f"{low:#x}",), gap=True)


def _without(spans: Iterable[Span], ranges: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """Cut the ranges that are known to be data out of the spans."""
    holes = _merged(ranges)
    if not holes:
        yield from spans
        return
    ends = [end for _, end in holes]
    for span in spans:
        low = span.low
        for hole_low, hole_high in holes[bisect.bisect_right(ends, low) :]:
            if hole_low >= span.high:
                break
            begin, end = max(hole_low, low), min(hole_high, span.high)
            if low < begin:
                yield Span(low, begin, span.names, gap=span.gap)
            yield Span(begin, end, (f"{begin:#x}",), data=True)
            low = end
        if low == span.low:
            yield span
        elif low < span.high:
            yield Span(low, span.high, span.names, gap=span.gap)


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        elif low < high:
            merged.append((low, high))
    return merged
