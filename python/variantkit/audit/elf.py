"""ELF files: what is executable, which functions there are, and what ld.so runs when it loads the file."""

from __future__ import annotations

import bisect
import struct
from typing import TYPE_CHECKING

import lief

from variantkit.audit.binary import Binary, Code, Symbol, functions_of, text_of
from variantkit.errors import BinaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["read_elf"]

_LOADED = frozenset({lief.ELF.Header.FILE_TYPE.DYN, lief.ELF.Header.FILE_TYPE.EXEC})
_MACHINES = {lief.ELF.ARCH.X86_64: "x86_64", lief.ELF.ARCH.I386: "i386", lief.ELF.ARCH.AARCH64: "aarch64"}
_LEVELS = {
    lief.ELF.X86ISA.ISA.BASELINE: "x86-64",
    lief.ELF.X86ISA.ISA.V2: "x86-64-v2",
    lief.ELF.X86ISA.ISA.V3: "x86-64-v3",
    lief.ELF.X86ISA.ISA.V4: "x86-64-v4",
}
_ARM = {lief.ELF.AArch64Feature.FEATURE.BTI: "bti", lief.ELF.AArch64Feature.FEATURE.PAC: "pac"}
_TAG = lief.ELF.DynamicEntry.TAG
_TYPE = lief.ELF.Symbol.TYPE
# The value is the address, moved with the file; what is added to it comes with the relocation.
_RELATIVE = frozenset(
    {
        lief.ELF.Relocation.TYPE.X86_64_RELATIVE,
        lief.ELF.Relocation.TYPE.X86_RELATIVE,
        lief.ELF.Relocation.TYPE.AARCH64_RELATIVE,
    }
)
_RESOLVED = frozenset(
    {
        lief.ELF.Relocation.TYPE.X86_64_IRELATIVE,
        lief.ELF.Relocation.TYPE.X86_IRELATIVE,
        lief.ELF.Relocation.TYPE.AARCH64_IRELATIVE,
    }
)
_SYMBOLIC = frozenset(
    {
        lief.ELF.Relocation.TYPE.X86_64_64,
        lief.ELF.Relocation.TYPE.X86_32,
        lief.ELF.Relocation.TYPE.AARCH64_ABS64,
    }
)
_SLOTS = frozenset({lief.ELF.Relocation.TYPE.X86_64_JUMP_SLOT, lief.ELF.Relocation.TYPE.X86_64_GLOB_DAT})
# What __builtin_cpu_supports reads, and what glibc offers for the same.
_CPU = frozenset(
    {"__cpu_features2", "__cpu_indicator_init", "__cpu_model", "__get_cpu_features", "__x86_get_cpuid_feature_leaf"}
)
# Where there is no PT_GNU_STACK, the kernel and glibc take the stack of these machines for executable.
_EXECUTABLE_BY_DEFAULT = frozenset({"x86_64", "i386"})


def read_elf(data: bytes) -> Binary:
    """Return the image in an ELF file."""
    elf = lief.ELF.parse(data)
    if elf is None:
        msg = "it is a damaged ELF file. Build it again."
        raise BinaryError(msg)
    if elf.header.file_type not in _LOADED:
        msg = f"it is an ELF file that is not loaded: {elf.header.file_type.name}. Leave it out."
        raise BinaryError(msg)
    header = elf.header
    wanted = {
        "segments": (header.numberof_segments, len(elf.segments)),
        # With more of them than the header can say, it says 0.
        "sections": (header.numberof_sections, len(elf.sections) if header.numberof_sections else 0),
    }
    for kind, (said, there) in wanted.items():
        if said != there:
            msg = f"it is a damaged ELF file: {there} of its {said} {kind} can be read. Build it again."
            raise BinaryError(msg)
    machine = _MACHINES.get(elf.header.machine_type) or elf.header.machine_type.name.lower()
    code = tuple(_code(elf, len(data)))
    symbols = [*elf.symtab_symbols, *elf.dynamic_symbols]
    ranges = [(each.address, each.address + len(each.data)) for each in code]

    def inside(address: int) -> bool:
        return any(begin <= address < end for begin, end in ranges)

    defined = [each for each in symbols if each.shndx and each.name and inside(each.value)]
    named = [
        Symbol(address=each.value, name=text_of(each.name), size=each.size)
        for each in defined
        if each.type in {_TYPE.FUNC, _TYPE.GNU_IFUNC}
        or (each.type == _TYPE.NOTYPE and text_of(each.name)[0] not in "$.")
    ]
    # LIEF calls those that are run at load "__dt_init_array" and the like.
    unwound = [
        (each.address, each.size)
        for each in elf.functions
        if inside(each.address) and (not each.name or text_of(each.name).startswith("__dt_"))
    ]
    resolvers, constructors = _run_at_load(elf, inside)
    # What is called is code, whatever else a symbol says of the place.
    called = sorted({*resolvers, *constructors, *(each.address for each in named)})

    def has_code(begin: int, end: int) -> bool:
        return bisect.bisect_left(called, begin) < bisect.bisect_left(called, end)

    return Binary(
        format="ELF",
        machine=machine,
        code=code,
        functions=functions_of(named, unwound),
        constructors=constructors,
        resolvers=tuple(sorted({*resolvers, *(each.value for each in defined if each.type == _TYPE.GNU_IFUNC)})),
        linked=tuple(
            sorted(
                (each.address, each.symbol.value)
                for each in elf.relocations
                if each.type in _SLOTS and each.symbol is not None and each.symbol.shndx and inside(each.symbol.value)
            )
        ),
        asks_cpu=any(text_of(each.name) in _CPU for each in elf.imported_symbols),
        exported=tuple(sorted({text_of(each.name) for each in elf.exported_symbols if each.name})),
        needed=tuple(map(text_of, elf.libraries)),
        search_path=tuple(_search_path(elf)),
        isa_note=_isa_note(elf),
        executable_stack=_executable_stack(elf, machine),
        writable_code=any(
            each.type == lief.ELF.Segment.TYPE.LOAD
            and each.has(lief.ELF.Segment.FLAGS.W)
            and each.has(lief.ELF.Segment.FLAGS.X)
            for each in elf.segments
        ),
        build_id=next(
            (bytes(note.description).hex() for note in elf.notes if note.type == lief.ELF.Note.TYPE.GNU_BUILD_ID), ""
        ),
        stripped=not any(each.type == _TYPE.FUNC for each in elf.symtab_symbols),
        data_in_code=tuple(
            sorted(
                {
                    (each.value, each.value + each.size)
                    for each in defined
                    if each.type == _TYPE.OBJECT and each.size and not has_code(each.value, each.value + each.size)
                }
            )
        ),
    )


def _code(elf: lief.ELF.Binary, length: int) -> Iterator[Code]:
    """Return the executable sections, and of an executable segment that no section is in all of it."""
    found: list[tuple[int, int]] = []
    for section in elf.sections:
        if section.has(lief.ELF.Section.FLAGS.EXECINSTR) and section.type != lief.ELF.Section.TYPE.NOBITS:
            if section.offset + section.size > length:
                msg = f"it is an ELF file that was cut short: {text_of(section.name)} ends behind it. Build it again."
                raise BinaryError(msg)
            if section.size:
                _check_mapping(elf, section)
                found.append((section.virtual_address, section.virtual_address + section.size))
                yield Code(section=text_of(section.name), address=section.virtual_address, data=bytes(section.content))
    for segment in elf.segments:
        if segment.type != lief.ELF.Segment.TYPE.LOAD or not segment.has(lief.ELF.Segment.FLAGS.X):
            continue
        begin, end = segment.virtual_address, segment.virtual_address + segment.physical_size
        if segment.file_offset + segment.physical_size > length:
            msg = "it is an ELF file that was cut short: an executable segment ends behind it. Build it again."
            raise BinaryError(msg)
        # Only what is mapped executable can run, whatever a section header says, and that can be stripped too.
        if segment.physical_size and not any(first < end and begin < last for first, last in found):
            yield Code(section="", address=begin, data=bytes(segment.content))


def _check_mapping(elf: lief.ELF.Binary, section: lief.ELF.Section) -> None:
    """Raise `BinaryError` where other bytes are loaded at the address of a section than its header says."""
    begin, end = section.virtual_address, section.virtual_address + section.size
    for segment in elf.segments:
        low, size = segment.virtual_address, segment.physical_size
        if segment.type != lief.ELF.Segment.TYPE.LOAD or end <= low or low + size <= begin:
            continue
        if section.offset - segment.file_offset != begin - low:
            msg = f"its section {text_of(section.name)} is not what is loaded at that address. Build it again."
            raise BinaryError(msg)


def _run_at_load(elf: lief.ELF.Binary, inside: Callable[[int], bool]) -> tuple[set[int], tuple[int, ...]]:
    """Return the IFUNC resolvers that relocations name, and what is called when the file is loaded, in that order."""
    pointer = 8 if elf.header.identity_class == lief.ELF.Header.CLASS.ELF64 else 4
    arrays: list[tuple[int, int]] = []
    for tag, size in ((_TAG.PREINIT_ARRAY, _TAG.PREINIT_ARRAYSZ), (_TAG.INIT_ARRAY, _TAG.INIT_ARRAYSZ)):
        entry, length = elf.get(tag), elf.get(size)
        if isinstance(entry, lief.ELF.DynamicEntry) and isinstance(length, lief.ELF.DynamicEntry):
            arrays.append((entry.value, entry.value + length.value))
    # The file may have anything where a relocation is going to write.
    relocated: dict[int, int] = {}
    resolvers: set[int] = set()
    for each in elf.relocations:
        kind = each.type
        if kind in _RESOLVED:
            resolvers.add(each.addend if each.is_rela else _stored(elf, each.address, pointer))
        elif any(begin <= each.address < end for begin, end in arrays):
            added = each.addend if each.is_rela else _stored(elf, each.address, pointer)
            symbol = each.symbol.value if kind in _SYMBOLIC and each.symbol is not None else 0
            if kind in _RELATIVE or symbol:
                relocated[each.address] = symbol + added
    found: dict[int, None] = {}
    init = elf.get(_TAG.INIT)
    if isinstance(init, lief.ELF.DynamicEntry):
        found[init.value] = None
    for begin, end in arrays:
        if (end - begin) // pointer > 1_000_000:
            msg = "it is a damaged ELF file: its .init_array has no end. Build it again."
            raise BinaryError(msg)
        for place in range(begin, end - pointer + 1, pointer):
            target = relocated[place] if place in relocated else _stored(elf, place, pointer)
            # 0 and -1 are passed over by the loader, and another library's function has no address here.
            if target not in {0, (1 << 8 * pointer) - 1}:
                found[target] = None
    for address in (*resolvers, *found):
        if not inside(address):
            msg = (
                f"what runs while it is loaded, at {address:#x}, lies outside of its code, and cannot be read. "
                f"Link it so that code lies in executable sections."
            )
            raise BinaryError(msg)
    return resolvers, tuple(found)


def _stored(elf: lief.ELF.Binary, address: int, size: int) -> int:
    content = bytes(elf.get_content_from_virtual_address(address, size))
    if len(content) < size:
        return 0
    (value,) = struct.unpack("<Q" if size == 8 else "<I", content)
    return int(value)


def _search_path(elf: lief.ELF.Binary) -> Iterator[str]:
    for entry in elf.dynamic_entries:
        if isinstance(entry, lief.ELF.DynamicEntryRpath):
            yield from _places(text_of(entry.rpath))
        elif isinstance(entry, lief.ELF.DynamicEntryRunPath):
            yield from _places(text_of(entry.runpath))


def _places(path: str) -> list[str]:
    # An empty place among others is the current directory.
    return path.split(":") if path else []


def _isa_note(elf: lief.ELF.Binary) -> str:
    levels: set[str] = set()
    features: set[str] = set()
    for note in elf.notes:
        if not isinstance(note, lief.ELF.NoteGnuProperty):
            continue
        for each in note.properties:
            if isinstance(each, lief.ELF.X86ISA):
                levels |= {
                    _LEVELS[isa] for flag, isa in each.values if flag == lief.ELF.X86ISA.FLAG.NEEDED and isa in _LEVELS
                }
            elif isinstance(each, lief.ELF.AArch64Feature):
                features |= {_ARM[feature] for feature in each.features if feature in _ARM}
    return max(levels) if levels else ",".join(sorted(features))


def _executable_stack(elf: lief.ELF.Binary, machine: str) -> bool:
    stack = elf.get(lief.ELF.Segment.TYPE.GNU_STACK)
    if stack is None:
        return machine in _EXECUTABLE_BY_DEFAULT
    return stack.has(lief.ELF.Segment.FLAGS.X)
