"""Mach-O files, thin and fat: what is executable, and what dyld runs."""

from __future__ import annotations

import bisect
import struct
from typing import TYPE_CHECKING

import lief

from variantkit.audit.binary import Binary, Code, Symbol, functions_of, text_of
from variantkit.audit.pieces import Places, within
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
_ZEROS = frozenset({_SECTION.ZEROFILL, _SECTION.GB_ZEROFILL, _SECTION.THREAD_LOCAL_ZEROFILL})


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

    rebased = _rebased(macho)
    said, runs = Places(each for each in code if not each.is_data).have, Places(code).have
    named = [
        Symbol(address=each.value, name=text_of(each.name))
        for each in macho.symbols
        # Those of debuggers (N_STAB) have one of the upper three bits set.
        if each.value and not each.raw_type & 0xE0 and said(each.value) and text_of(each.name)
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
        functions=functions_of(named, [(each, 0) for each in at if runs(each)]),
        constructors=tuple(dict.fromkeys(each for each in _constructors(macho, rebased) if runs(each))),
        pointed=tuple(sorted({each for each in rebased.values() if runs(each)})),
        exported=tuple(sorted(exported - {""})),
        needed=tuple(
            text_of(each.name) for each in macho.libraries if each.command != lief.MachO.LoadCommand.TYPE.ID_DYLIB
        ),
        search_path=tuple(text_of(each.path) for each in macho.rpaths),
        executable_stack=not macho.has_nx_stack,
        build_id=bytes(macho.uuid.uuid).hex() if macho.uuid is not None else "",
        stripped=not any(not each.raw_type & 0xE1 for each in macho.symbols if said(each.value)),
        data_in_code=tuple(sorted(_data_in_code(macho))),
    )


def _code(macho: lief.MachO.Binary) -> Iterator[Code]:
    """Return the sections of executable segments that have instructions, and then what else lies in these segments.

    Where no section of a segment says that it has instructions, all of them are taken for code.
    """
    for segment in macho.segments:
        if not segment.init_protection & 4 or not segment.file_size:
            continue
        name, content = text_of(segment.name), bytes(segment.content)
        if len(content) < segment.file_size:
            msg = f"it is a Mach-O file that was cut short: {name} ends behind it. Build it again."
            raise BinaryError(msg)
        sections = [each for each in segment.sections if each.size and each.type not in _ZEROS]
        said = [each for each in sections if each.has(_FLAGS.PURE_INSTRUCTIONS) or each.has(_FLAGS.SOME_INSTRUCTIONS)]
        known = []
        for section in said or sections:
            if section.offset + section.size > macho.original_size:
                msg = f"it is a Mach-O file that was cut short: {text_of(section.name)} ends behind it. Build it again."
                raise BinaryError(msg)
            begin = section.virtual_address - segment.virtual_address
            if begin != section.offset - segment.file_offset:
                msg = f"its section {text_of(section.name)} is not what is loaded at that address. Build it again."
                raise BinaryError(msg)
            data = content[begin : begin + section.size]
            yield Code(section=text_of(section.name), address=section.virtual_address, data=data)
            known.append((section.virtual_address, section.virtual_address + len(data)))
        yield from within(name, segment.virtual_address, content, known)


def _rebased(macho: lief.MachO.Binary) -> dict[int, int]:
    """Return where dyld writes addresses of this image, and which ones."""
    form = struct.Struct("<Q" if macho.header.is_64bit else "<I")
    parts = sorted((each.virtual_address, bytes(each.content)) for each in macho.segments)
    starts = [address for address, _ in parts]
    found: dict[int, int] = {}
    for each in macho.relocations:
        index = bisect.bisect_right(starts, each.address) - 1
        if isinstance(each, lief.MachO.RelocationFixup):
            # The file holds a chain where dyld is going to write.
            found[each.address] = each.target
        elif isinstance(each, lief.MachO.RelocationDyld) and index >= 0:
            address, content = parts[index]
            if each.address - address + form.size <= len(content):
                (found[each.address],) = form.unpack_from(content, each.address - address)
    return found


def _constructors(macho: lief.MachO.Binary, rebased: dict[int, int]) -> Iterator[int]:
    form = struct.Struct("<Q" if macho.header.is_64bit else "<I")
    for section in macho.sections:
        content = bytes(section.content)
        if section.type == _SECTION.MOD_INIT_FUNC_POINTERS:
            values = form.iter_unpack(content[: len(content) // form.size * form.size])
            for index, (value,) in enumerate(values):
                yield rebased.get(section.virtual_address + index * form.size, value)
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
