"""All code of a binary: decoded from the first byte of each function on, and again wherever that turns out to be wrong."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

from variantkit.audit.disputed import put_down_disputed
from variantkit.audit.follow import decode_along, decode_through, is_padding
from variantkit.audit.taken import Taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.audit.binary import Binary
    from variantkit.audit.spans import Section, Span

__all__ = ["decode_all"]


def decode_all(sections: Sequence[Section], binary: Binary) -> None:
    """Decode all spans; follow the control flow of those where a straight decoding was wrong."""
    entries = sorted({*binary.constructors, *binary.resolvers})
    in_code = [(section.low, section.high) for section in sections]
    sources: list[Span] = []
    todo: list[tuple[Section, Span]] = []
    for section in sections:
        for span in section.spans:
            if span.data:
                if _enter(section, span, entries):
                    todo.append((section, span))
                continue
            if span.gap and is_padding(section.part(span.low, span.high)):
                continue
            decode_through(section, span)
            if span.suspicious:
                _enter(section, span, entries)
                todo.append((section, span))
            else:
                sources.append(span)
    taken = Taken(sections, binary)
    while True:
        _follow(sections, sources, todo, in_code)
        # What is found at an address that is taken leads on to more; each address is tried once.
        sources, todo = [], taken.found()
        if not todo:
            break
    put_down_disputed(sections)


def _enter(section: Section, span: Span, entries: Sequence[int]) -> bool:
    """Make what is called at load a root of its span; return whether there is any."""
    inside = entries[bisect.bisect_left(entries, span.low) : bisect.bisect_left(entries, span.high)]
    span.roots += tuple(inside)
    span.entered |= bool(inside) and not section.is_data
    return bool(inside)


def _follow(
    sections: Sequence[Section],
    sources: Sequence[Span],
    todo: Sequence[tuple[Section, Span]],
    in_code: Sequence[tuple[int, int]],
) -> None:
    """Decode `todo` along its control flow, and all else that `sources` and what is found there lead to."""
    while True:
        again = {id(span): (section, span) for section, span in todo}
        targets = sorted(set().union(*(_targets(span) for span in sources)))
        for section in sections:
            begins, low = section.begins, section.low
            for target in targets[bisect.bisect_left(targets, low) : bisect.bisect_left(targets, section.high)]:
                if begins[target - low]:
                    continue
                # A jump into the middle of an instruction, or into what was taken for data or padding.
                span = section.span_at(target)
                if target not in span.roots:
                    span.roots += (target,)
                    span.entered |= not section.is_data
                    again[id(span)] = section, span
        if not again:
            return
        for section, span in again.values():
            decode_along(section, span, in_code)
        # What was found by following control flow leads on to more; each round adds a root, so they come to an end.
        sources, todo = [span for _, span in again.values()], []


def _targets(span: Span) -> tuple[int, ...]:
    return span.leaving if span.over is None else (*span.leaving, span.over)
