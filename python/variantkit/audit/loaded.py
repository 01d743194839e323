"""What runs while a library is loaded: its constructors and IFUNC resolvers, and all that they lead to directly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iced_x86 import Decoder, Mnemonic, OpKind, Register

from variantkit.audit.features_of import codes
from variantkit.audit.follow import slot_of_stub

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from iced_x86 import Instruction

    from variantkit.audit.spans import Section, Span

__all__ = ["calls_through_pointers", "loaded"]

_ONLY_READ = frozenset({Mnemonic.TEST, Mnemonic.CMP, Mnemonic.PUSH, Mnemonic.BT})


def loaded(sections: Sequence[Section], entries: Iterable[int]) -> dict[int, str]:
    """Return the spans that run while the library is loaded, by id, with the name of the constructor that reaches them."""
    via: dict[int, str] = {}
    todo: list[tuple[Span, str]] = []
    for entry in entries:
        if (section := _section_at(sections, entry)) is not None:
            span = section.span_at(entry)
            via[id(span)] = ""
            todo.append((span, span.names[0]))
    while todo:
        span, name = todo.pop()
        for target in span.leaving:
            called, section = target, _section_at(sections, target)
            if section is None:
                continue
            if (slot := slot_of_stub(section, target)) is not None:
                # What a stub leads to is what is called; nothing of this file, if it is in no slot.
                called = section.linked.get(slot, -1)
                if (section := _section_at(sections, called)) is None:
                    continue
            if id(following := section.span_at(called)) not in via:
                via[id(following)] = name
                todo.append((following, name))
    return via


def calls_through_pointers(section: Section, span: Span, slots: Container[int] | None) -> bool:
    """Return whether a function calls what a pointer points to that the loader does not fill.

    `slots` has those that it does fill; None where that is not known, and takes all that have an address for such slots.
    """
    table = codes()
    written: dict[int, Instruction] = {}
    for each in Decoder(64, section.part(span.low, span.high), ip=span.low):
        if not section.begins[each.ip - section.low]:
            continue
        if each.code in table.through:
            pointer: Instruction | None = each
            if each.op0_kind == OpKind.REGISTER:
                pointer = written.get(each.op0_register)
            is_jump = bool(table.kinds[each.code] & table.ENDS)
            if _is_pointer(pointer, slots, is_jump=is_jump):
                return True
        elif each.op0_kind == OpKind.REGISTER and each.mnemonic not in _ONLY_READ:
            written[each.op0_register] = each
    return False


def _is_pointer(source: Instruction | None, slots: Container[int] | None, *, is_jump: bool) -> bool:
    """Return whether an address comes from memory that nobody knows; a jump may be one of a table of cases."""
    if source is None:
        return not is_jump
    if source.is_ip_rel_memory_operand:
        if source.mnemonic == Mnemonic.LEA:
            return True
        return slots is not None and source.ip_rel_memory_address not in slots
    if OpKind.MEMORY not in {source.op0_kind, source.op1_kind}:
        return not is_jump
    return not is_jump or source.memory_index == Register.NONE


def _section_at(sections: Sequence[Section], address: int) -> Section | None:
    return next((section for section in sections if section.low <= address < section.high), None)
