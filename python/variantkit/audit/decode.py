"""Which CPU features the machine code of a binary needs, function by function.

Every executable byte is decoded, each function from its own start, and what only an address in a register or in memory
leads to from there. What that cannot say: which of them an indirect call leads to, whether a jump to an address that is
computed leads into the middle of an instruction, what code another library has, what a program makes at run time.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import gc
import operator
from typing import TYPE_CHECKING

from variantkit.errors import BinaryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iced_x86 import Formatter

    from variantkit.audit.binary import Binary
    from variantkit.audit.features_of import Codes
    from variantkit.audit.spans import Section, Span

__all__ = ["CodeUse", "FunctionUse", "Undecoded", "Use", "code_use"]

_XSAVE, _SHADOW_STACK = "xsave", "user_shstk"
_ADDRESS = operator.itemgetter(0)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """An instruction that not every x86-64 CPU can run, and all the features that it needs beyond those of every one."""

    address: int
    code: bytes
    """It, and what follows it."""
    features: frozenset[str]

    @property
    def text(self) -> str:
        """The instruction as Intel writes it; there are many, and few of them are ever shown."""
        from iced_x86 import Decoder

        return str(_formatter().format(Decoder(64, self.code, ip=self.address).decode()))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FunctionUse:
    """What one function needs: for each feature the first instruction that does.

    `constructor` is true where it runs while the library is being loaded: it is a constructor or an IFUNC resolver, or
    reached from one by direct calls and jumps. `via` is the name of that one, "" where it is one itself.
    """

    name: str
    address: int
    size: int
    names: tuple[str, ...]
    """All its names; `name` is the first."""
    constructor: bool = False
    via: str = ""
    features: dict[str, Use] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Undecoded:
    """Bytes in an executable section that are neither code nor padding nor known to be data."""

    address: int
    size: int
    name: str
    """The function that they lie in, or their address."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CodeUse:
    """What all code of a binary needs."""

    instructions: int
    functions: tuple[FunctionUse, ...]
    undecoded: tuple[Undecoded, ...]
    unfollowed: tuple[str, ...]
    """The functions that run while the library is loaded and call through pointers: what they call is not known."""
    vector_widths: dict[tuple[str, int], int]
    """How many instructions there are of each encoding and width: ("VEX", 256), ("EVEX", 512)."""
    tzcnt: int
    """How many TZCNT are not counted as BMI1, because an older CPU runs them as BSF: right for all inputs but 0.

    Compilers write them, or `rep bsf`, which is the same bytes, for every x86-64 CPU where the input cannot be 0. Those
    whose flags are used are counted.
    """
    detects: bool
    """Whether it asks what the CPU has, by CPUID or another library, so that it may choose among its functions itself."""


def code_use(binary: Binary) -> CodeUse:
    """Decode all code of a binary; raise `BinaryError` when it is for another machine than x86-64."""
    if binary.machine != "x86_64":
        msg = f"Code for {binary.machine} cannot be decoded, only code for x86_64. Audit it by its ISA note."
        raise BinaryError(msg)
    with _uncollected():
        return _code_use(binary)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Pause Python's garbage collector, which would look through all that is known of a file again and again.

    Nothing here refers to itself, so there is nothing that it would find.
    """
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


def _code_use(binary: Binary) -> CodeUse:
    from variantkit.audit.features_of import codes
    from variantkit.audit.flow import decode_all
    from variantkit.audit.loaded import calls_through_pointers, loaded
    from variantkit.audit.spans import sections_of

    table, sections = codes(), sections_of(binary)
    decode_all(sections, binary)
    entries = sorted({*binary.constructors, *binary.resolvers})
    via = loaded(sections, entries)
    # Of other formats, what is not known to be filled is taken for what another library has.
    slots = {*binary.imported, *dict(binary.linked)} if binary.format == "ELF" else None
    asked = _ask_before(table, sections)

    functions, undecoded, unfollowed, ignored = [], [], [], 0
    vectors, widths = collections.Counter[int](), collections.Counter[tuple[str, int]]()
    for section, span in _spans(sections):
        name = span.names[0]
        needs, tzcnt = _needs(table, section, span, asked)
        ignored += tzcnt
        functions.append(
            FunctionUse(
                name=name, address=span.low, size=span.high - span.low, names=span.names, features=needs,
                constructor=id(span) in via, via=via.get(id(span), ""),
            )
        )  # fmt: skip
        if id(span) in via and calls_through_pointers(section, span, slots):
            unfollowed.append(name)
        vectors.update(span.vectors)
        undecoded += [Undecoded(address=low, size=high - low, name=name) for low, high in span.undecoded]
    for code, number in vectors.items():
        if (vector := table.vectors[code]) is not None:
            widths[vector] += number
    return CodeUse(
        instructions=sum(section.begins.count(1) for section in sections),
        functions=tuple(functions),
        undecoded=tuple(sorted(undecoded)),
        unfollowed=tuple(unfollowed),
        vector_widths=dict(widths),
        tzcnt=ignored,
        detects=binary.asks_cpu or any(table.cpuid in span.guards for _, span in _spans(sections)),
    )


def _spans(sections: list[Section]) -> Iterator[tuple[Section, Span]]:
    for section in sections:
        for span in section.spans:
            if span.decoded or span.undecoded:
                yield section, span


def _ask_before(table: Codes, sections: list[Section]) -> set[int]:
    """Return the functions that ask CPUID, or are called by one that does; XGETBV in them is part of the question."""
    asked: set[int] = set()
    for _, span in _spans(sections):
        if table.cpuid in span.guards:
            asked.add(span.low)
            asked.update(span.leaving)
    return asked


def _needs(table: Codes, section: Section, span: Span, asked: set[int]) -> tuple[dict[str, Use], int]:
    """Return the first instruction for each feature, and how many TZCNT are left out."""
    if not span.first and not span.tzcnt:
        return {}, 0
    found = [(address, table.features[code], code) for code, address in span.first.items()]
    real = _flags_used(section, span.tzcnt) if span.tzcnt else None
    if real is not None:
        found.append((real, frozenset({"bmi1"}), -1))
    needs: dict[str, Use] = {}
    known: set[frozenset[str]] = set()  # there are many codes, and few sets of features
    for address, features, number in sorted(found, key=_ADDRESS):
        if features in known:
            continue
        if number == table.xgetbv and span.low in asked:
            continue
        if _SHADOW_STACK in features and table.rdssp.intersection(span.guards):
            continue
        known.add(features)
        if not features <= needs.keys():
            code = section.part(address, min(address + 15, section.high))
            use = Use(address=address, code=code, features=features)
            needs.update(dict.fromkeys(features - needs.keys(), use))
    return needs, 0 if real is not None else len(span.tzcnt)


def _flags_used(section: Section, places: tuple[int, ...]) -> int | None:
    """Return the first TZCNT whose flags are used."""
    from variantkit.audit.follow import reads_flags_of

    return next((address for address in places if reads_flags_of(section, address)), None)


@functools.cache
def _formatter() -> Formatter:
    from iced_x86 import Formatter, FormatterSyntax

    formatter = Formatter(FormatterSyntax.INTEL)
    formatter.hex_prefix, formatter.hex_suffix = "0x", ""
    formatter.space_after_operand_separator = True
    return formatter
