"""ELF files: what is executable, which functions there are, and what ld.so runs when it loads the file."""

from __future__ import annotations

import bisect

import lief

from variantkit.audit import elf_says
from variantkit.audit.binary import Binary, Symbol, functions_of, text_of
from variantkit.audit.elf_code import code_of
from variantkit.audit.elf_dynamic import check_dynamic
from variantkit.audit.elf_loader import at_load
from variantkit.audit.pieces import Places
from variantkit.errors import BinaryError

__all__ = ["read_elf"]

_LOADED = frozenset({lief.ELF.Header.FILE_TYPE.DYN, lief.ELF.Header.FILE_TYPE.EXEC})
_MACHINES = {lief.ELF.ARCH.X86_64: "x86_64", lief.ELF.ARCH.I386: "i386", lief.ELF.ARCH.AARCH64: "aarch64"}
_TYPE = lief.ELF.Symbol.TYPE
_FUNCTIONS = frozenset({_TYPE.FUNC, _TYPE.GNU_IFUNC})
# What __builtin_cpu_supports reads, and what glibc offers for the same.
_CPU = frozenset(
    {"__cpu_features2", "__cpu_indicator_init", "__cpu_model", "__get_cpu_features", "__x86_get_cpuid_feature_leaf"}
)


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
    for kind, (number, there) in wanted.items():
        if number != there:
            msg = f"it is a damaged ELF file: {there} of its {number} {kind} can be read. Build it again."
            raise BinaryError(msg)
    check_dynamic(elf)
    machine = _MACHINES.get(elf.header.machine_type) or elf.header.machine_type.name.lower()
    code = code_of(elf, data)
    symbols = [*elf.symtab_symbols, *elf.dynamic_symbols]
    said = Places(each for each in code if not each.is_data)
    runs = Places(code)

    defined = [each for each in symbols if each.shndx and each.name and runs.have(each.value)]
    named = [
        Symbol(address=each.value, name=text_of(each.name), size=each.size)
        for each in defined
        if each.type in _FUNCTIONS or (_is_label(each) and said.have(each.value))
    ]
    # Who looks up a label or an object can call it; where there may be data, it is no function only because it has a name.
    looked_up = {
        each.value
        for each in elf.dynamic_symbols
        if each.shndx
        and runs.have(each.value)
        and (each.type == _TYPE.OBJECT or (_is_label(each) and not said.have(each.value)))
    }
    # LIEF calls those that are run at load "__dt_init_array" and the like.
    unwound = [
        (each.address, each.size)
        for each in elf.functions
        if runs.have(each.address) and (not each.name or text_of(each.name).startswith("__dt_"))
    ]
    loading = at_load(elf, runs.have)
    resolvers, constructors = loading.resolvers, loading.constructors
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
        linked=loading.linked,
        imported=loading.imported,
        pointed=tuple(sorted({*loading.pointed, *looked_up})),
        asks_cpu=any(text_of(each.name) in _CPU for each in elf.imported_symbols),
        exported=tuple(sorted({text_of(each.name) for each in elf.exported_symbols if each.name})),
        needed=elf_says.needed(elf, data),
        auditors=elf_says.auditors(elf, data),
        search_path=elf_says.search_path(elf),
        isa_note=elf_says.isa_note(elf, data),
        executable_stack=elf_says.executable_stack(elf, machine),
        relocated_code=loading.relocated_code,
        writable_code=elf_says.writable_code(elf),
        build_id=next(
            (bytes(note.description).hex() for note in elf.notes if note.type == lief.ELF.Note.TYPE.GNU_BUILD_ID), ""
        ),
        stripped=not any(each.type == _TYPE.FUNC for each in elf.symtab_symbols),
        data_in_code=tuple(
            sorted(
                {
                    (each.value, each.value + each.size)
                    for each in defined
                    if each.type == _TYPE.OBJECT
                    and each.size
                    and said.have(each.value)
                    and not has_code(each.value, each.value + each.size)
                }
            )
        ),
    )


def _is_label(symbol: lief.ELF.Symbol) -> bool:
    """Return whether a symbol is one of assembly without a type, and none of those that say what code a place has."""
    return symbol.type == _TYPE.NOTYPE and text_of(symbol.name)[:1] not in {"", "$", "."}
