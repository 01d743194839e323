"""What can be executed although nothing says that it is code: headers, constants, holes between sections."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

from variantkit.audit.binary import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["PAGE", "Places", "up_to_a_page", "within"]

PAGE = 0x1000
"""What is mapped begins and ends at a multiple of it, whatever a header says; all x86-64 systems have it."""


class Places:
    """The addresses of some code."""

    def __init__(self, code: Iterable[Code]) -> None:
        lows: list[int] = []
        highs: list[int] = []
        for low, high in sorted((each.address, each.address + len(each.data)) for each in code):
            if highs and low <= highs[-1]:
                highs[-1] = max(highs[-1], high)
            else:
                lows.append(low)
                highs.append(high)
        self._lows, self._highs = lows, highs

    def have(self, address: int) -> bool:
        """Return whether an address is one of them."""
        place = bisect.bisect_right(self._lows, address) - 1
        return place >= 0 and address < self._highs[place]


def up_to_a_page(address: int) -> int:
    """Return the end of the page in which something ends."""
    return -(-address // PAGE) * PAGE


def within(section: str, address: int, data: bytes, known: Iterable[tuple[int, int]]) -> Iterator[Code]:
    """Return the pieces of executable memory that are in none of the known ranges, without those that are only zeros."""
    low, high = address, address + len(data)
    for first, last in sorted(each for each in known if each[0] < high and low < each[1]):
        yield from _piece(section, address, data, low, first)
        low = max(low, last)
    yield from _piece(section, address, data, low, high)


def _piece(section: str, address: int, data: bytes, low: int, high: int) -> Iterator[Code]:
    part = data[low - address : high - address] if low < high else b""
    if part.count(0) < len(part):
        yield Code(section=section, address=low, data=part, is_data=True)
