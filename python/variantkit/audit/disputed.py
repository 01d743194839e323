"""Near jumps and calls with an operand size prefix, whose length and target AMD's CPUs and Intel's do not agree on.

Intel's ignore the prefix; to AMD's, it makes the distance one of 16 bits, so that what follows is other code. No compiler
writes one. With REX.W, as `__tls_get_addr` is called, the prefix is nothing to either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iced_x86 import Decoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.audit.spans import Section

__all__ = ["put_down_disputed"]

_LONGEST = 15
_OPERAND_SIZE = 0x66
_PREFIXES = frozenset({0x26, 0x2E, 0x36, 0x3E, *range(0x40, 0x50), 0x64, 0x65, _OPERAND_SIZE, 0x67, 0xF0, 0xF2, 0xF3})
_BRANCH = re.compile(
    rb"\x66[%b]{0,11}(?:[\x70-\x7f\xe0-\xe3\xe8\xe9\xeb]|\x0f[\x80-\x8f])" % re.escape(bytes(sorted(_PREFIXES))),
    re.DOTALL,
)


def put_down_disputed(sections: Sequence[Section]) -> None:
    """Add them to what could not be decoded."""
    for section in sections:
        data = section.bytes
        for match in _BRANCH.finditer(data):
            opcode = match.end() - (2 if data[match.end() - 2] == 0x0F else 1)
            if data[opcode - 1] & 0xF8 == 0x48:
                continue  # REX.W
            begin = opcode - 1
            while begin >= 0 and data[begin] in _PREFIXES and opcode - begin < _LONGEST:
                if section.begins[begin] and _OPERAND_SIZE in data[begin:opcode]:
                    low = section.low + begin
                    end = Decoder(64, data[begin : begin + _LONGEST], ip=low).decode().next_ip
                    section.span_at(low).undecoded += ((low, end),)
                    break
                begin -= 1
