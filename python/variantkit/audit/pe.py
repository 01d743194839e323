"""PE files, Windows' DLLs and extension modules: what is executable, and what the loader runs."""

from __future__ import annotations

import bisect
import struct
from typing import TYPE_CHECKING

import lief

from variantkit.audit.binary import Binary, Code, Symbol, functions_of, text_of
from variantkit.audit.pieces import Places, up_to_a_page, within
from variantkit.errors import BinaryError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_pe"]

_MACHINES = {
    lief.PE.Header.MACHINE_TYPES.AMD64: "x86_64",
    lief.PE.Header.MACHINE_TYPES.I386: "i386",
    lief.PE.Header.MACHINE_TYPES.ARM64: "aarch64",
}
_KIND = lief.PE.Section.CHARACTERISTICS
_SECTOR = 0x200
_BASE = lief.PE.RelocationEntry.BASE_TYPES
_POINTERS = {_BASE.DIR64: struct.Struct("<Q"), _BASE.HIGHLOW: struct.Struct("<I")}


def read_pe(data: bytes) -> Binary:
    """Return the image in a PE file."""
    settings = lief.PE.ParserConfig()
    settings.parse_signature = settings.parse_rsrc = False
    settings.parse_exports = settings.parse_imports = settings.parse_exceptions = settings.parse_reloc = True
    pe = lief.PE.parse(data, settings)
    if pe is None:
        msg = "it is a damaged PE file. Build it again."
        raise BinaryError(msg)
    if len(pe.sections) != pe.header.numberof_sections:
        msg = f"it is a damaged PE file: {len(pe.sections)} of its {pe.header.numberof_sections} sections can be read. Build it again."
        raise BinaryError(msg)
    machine = _MACHINES.get(pe.header.machine) or pe.header.machine.name.lower()
    base = pe.optional_header.imagebase
    code = tuple(_code(pe, base, data))

    inside = Places(code).have

    table, tls = pe.get_export(), pe.tls
    exports = list(table.entries) if table is not None else []
    named = [
        Symbol(address=base + each.address, name=text_of(each.name))
        for each in exports
        if each.name and not each.is_forwarded and inside(base + each.address)
    ]
    coff = list(_coff_symbols(pe, base))
    unwound = [
        (
            base + each.rva_start,
            0 if not isinstance(each, lief.PE.RuntimeFunctionX64) else each.rva_end - each.rva_start,
        )
        for each in pe.exceptions
    ]
    called = list(tls.callbacks) if tls is not None else []
    if pe.optional_header.addressof_entrypoint:
        # The start code of a DLL calls the constructors of its C++ objects, and then DllMain.
        called.append(base + pe.optional_header.addressof_entrypoint)
    libraries = [text_of(each.name) for each in (*pe.imports, *pe.delay_imports)]
    return Binary(
        format="PE",
        machine=machine,
        code=code,
        functions=functions_of(
            [*named, *(each for each in coff if inside(each.address))],
            [(address, max(size, 0)) for address, size in unwound if inside(address)],
        ),
        constructors=tuple(dict.fromkeys(each for each in called if inside(each))),
        pointed=tuple(sorted({each for each in _pointers(pe) if inside(each)})),
        exported=tuple(sorted({text_of(each.name) for each in exports if each.name})),
        needed=tuple(dict.fromkeys(libraries)),
        executable_stack=not pe.has_nx,
        writable_code=any(
            each.has_characteristic(_KIND.MEM_EXECUTE) and each.has_characteristic(_KIND.MEM_WRITE)
            for each in pe.sections
        ),
        build_id=_pdb(pe),
        stripped=not coff,
    )


def _code(pe: lief.PE.Binary, base: int, data: bytes) -> Iterator[Code]:
    for section in pe.sections:
        if not (section.has_characteristic(_KIND.MEM_EXECUTE) or section.has_characteristic(_KIND.CNT_CODE)):
            continue
        size, begin = section.sizeof_raw_data, section.pointerto_raw_data
        if size and begin + size > len(data):
            msg = f"it is a PE file that was cut short: {text_of(section.name)} ends behind it. Build it again."
            raise BinaryError(msg)
        # Windows rounds it down, and loads other bytes.
        if size and begin % _SECTOR:
            msg = f"its section {text_of(section.name)} is not what is loaded at that address. Build it again."
            raise BinaryError(msg)
        name, address, in_memory = text_of(section.name), base + section.virtual_address, section.virtual_size or size
        code = data[begin : begin + min(size, in_memory)]
        if code:
            yield Code(section=name, address=address, data=code)
        # What is in the file behind that is filling, but up to the end of a page it is loaded.
        rest = data[begin + len(code) : begin + min(size, up_to_a_page(in_memory))]
        yield from within(name, address + len(code), rest, ())


def _pointers(pe: lief.PE.Binary) -> Iterator[int]:
    """Return what the addresses point to that Windows mends when an image is not where it was linked for."""
    parts = sorted((each.virtual_address, bytes(each.content)) for each in pe.sections)
    starts = [address for address, _ in parts]
    for block in pe.relocations:
        for entry in block.entries:
            kind = _POINTERS.get(entry.type)
            index = bisect.bisect_right(starts, entry.address) - 1
            if kind is None or index < 0:
                continue
            address, content = parts[index]
            place = entry.address - address
            if place + kind.size <= len(content):
                yield kind.unpack_from(content, place)[0]


def _coff_symbols(pe: lief.PE.Binary, base: int) -> Iterator[Symbol]:
    sections = list(pe.sections)
    for each in pe.symbols:
        # Sections are counted from 1; the others have special meanings.
        if each.is_function and 1 <= each.section_idx <= len(sections) and text_of(each.name):
            place = sections[each.section_idx - 1].virtual_address
            yield Symbol(address=base + place + each.value, name=text_of(each.name))


def _pdb(pe: lief.PE.Binary) -> str:
    view = pe.codeview_pdb
    return "" if view is None else f"{view.guid}{view.age:x}".replace("-", "").lower()
