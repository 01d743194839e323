"""Mach-O files, thin and fat: what is executable, and what dyld runs."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import lief

from variantkit.audit.binary import Binary, Code, Symbol, functions_of, text_of
from variantkit.errors import BinaryError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_macho"]

_CPU = lief.MachO.Header.CPU_TYPE
_MACHINES = {_CPU.X86_64: "x86_64", _CPU.X86: "i386", _CPU.ARM64: "aarch64"}
_FILE = lief.MachO.Header.FILE_TYPE
_LOADED = frozenset({_FILE.EXECUTE, _FILE.DYLIB, _FILE.BUNDLE})
_SECTION = lief.MachO.Section.TYPE
_FLAGS = lief.MachO.Section.FLAGS


def read_macho(data: bytes) -> tuple[Binary, ...]:
    """Return the images in a Mach-O file, one per machine."""
    fat = lief.MachO.parse(data)
    images = [] if fat is None else list(fat)
    if not images:
        msg = "it is a damaged Mach-O file. Build it again."
        raise BinaryError(msg)
    wanted = _machines_of(data)
    if wanted != len(images):
        msg = f"it is a damaged Mach-O file: {len(images)} of its {wanted} images can be read. Build it again."
        raise BinaryError(msg)
    return tuple(map(_image, images))


def _machines_of(data: bytes) -> int:
    if data[:4] in {b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"}:
        return int(struct.unpack(">I", data[4:8])[0])
    return 1


def _image(macho: lief.MachO.Binary) -> Binary:
    if macho.header.file_type not in _LOADED:
        msg = f"it is a Mach-O file that is not loaded: {macho.header.file_type.name}. Leave it out."
        raise BinaryError(msg)
    if len(macho.commands) != macho.header.nb_cmds:
        msg = f"it is a damaged Mach-O file: {len(macho.commands)} of its {macho.header.nb_cmds} commands can be read. Build it again."
        raise BinaryError(msg)
    machine = _MACHINES.get(macho.header.cpu_type) or macho.header.cpu_type.name.lower()
    code = tuple(_code(macho))

    def inside(address: int) -> bool:
        return any(each.address <= address < each.address + len(each.data) for each in code)

    named = [
        Symbol(address=each.value, name=text_of(each.name))
        for each in macho.symbols
        # Those of debuggers (N_STAB) have one of the upper three bits set.
        if each.value and not each.raw_type & 0xE0 and inside(each.value) and text_of(each.name)
    ]
    # N_SECT and N_EXT, and not N_PEXT; a stripped file has them in its trie of exports only.
    exported = {text_of(each.name) for each in macho.symbols if each.raw_type == 0x0F}
    exported |= {text_of(each.name) for each in macho.exported_symbols}
    starts = list(macho.function_starts.functions) if macho.function_starts is not None else []
    at = [each if each >= macho.imagebase else each + macho.imagebase for each in starts]
    return Binary(
        format="Mach-O",
        machine=machine,
        code=code,
        functions=functions_of(named, [(each, 0) for each in at if inside(each)]),
        constructors=tuple(dict.fromkeys(each for each in _constructors(macho) if inside(each))),
        exported=tuple(sorted(exported - {""})),
        needed=tuple(
            text_of(each.name) for each in macho.libraries if each.command != lief.MachO.LoadCommand.TYPE.ID_DYLIB
        ),
        search_path=tuple(text_of(each.path) for each in macho.rpaths),
        executable_stack=not macho.has_nx_stack,
        build_id=bytes(macho.uuid.uuid).hex() if macho.uuid is not None else "",
        stripped=not any(not each.raw_type & 0xE1 for each in macho.symbols if inside(each.value)),
        data_in_code=tuple(sorted(_data_in_code(macho))),
    )


def _code(macho: lief.MachO.Binary) -> Iterator[Code]:
    for section in macho.sections:
        segment = section.segment
        code = section.has(_FLAGS.PURE_INSTRUCTIONS) or section.has(_FLAGS.SOME_INSTRUCTIONS)
        if not code or not section.size or segment is None or not segment.init_protection & 4:
            continue
        if section.offset + section.size > macho.original_size:
            msg = f"it is a Mach-O file that was cut short: {text_of(section.name)} ends behind it. Build it again."
            raise BinaryError(msg)
        yield Code(section=text_of(section.name), address=section.virtual_address, data=bytes(section.content))


def _constructors(macho: lief.MachO.Binary) -> Iterator[int]:
    size = 8 if macho.header.is_64bit else 4
    pointers = [each for each in macho.sections if each.type == _SECTION.MOD_INIT_FUNC_POINTERS]
    # With chained fixups, the file holds a chain where dyld is going to write addresses.
    fixed = {
        each.address: each.target
        for each in (macho.relocations if pointers else ())
        if isinstance(each, lief.MachO.RelocationFixup)
    }
    for section in macho.sections:
        content = bytes(section.content)
        if section.type == _SECTION.MOD_INIT_FUNC_POINTERS:
            values = struct.unpack(
                f"<{len(content) // size}{'Q' if size == 8 else 'I'}", content[: len(content) // size * size]
            )
            for index, value in enumerate(values):
                yield fixed.get(section.virtual_address + index * size, value)
        elif section.type == _SECTION.INIT_FUNC_OFFSETS:
            offsets = struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4])
            yield from (macho.imagebase + offset for offset in offsets)
    if macho.routine_command is not None:
        yield macho.routine_command.init_address


def _data_in_code(macho: lief.MachO.Binary) -> Iterator[tuple[int, int]]:
    if macho.data_in_code is None:
        return
    for each in macho.data_in_code.entries:
        address = macho.offset_to_virtual_address(each.offset)
        if isinstance(address, int):
            yield address, address + each.length
