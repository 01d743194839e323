"""What can be executed although no section says that it is code: it is found where something leads into it."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from audited import ENTRY
from native_files import MACHO_BASE, PE_BASE, compiled, macho, pe
from variantkit.audit import AuditResult, audit
from variantkit.audit.binary import Binary, read_binary, with_symbols

AVX512 = "vaddps %zmm2, %zmm1, %zmm0\nret\n"
# The same: vaddps zmm0, zmm1, zmm2; ret
HIDDEN = bytes.fromhex("62f1744858c2c3")
TEXT = """
.text
.globl demo_open
.type demo_open, @function
demo_open: {call} ret
.size demo_open, . - demo_open
.section .rodata
.asciz "some words before"
hidden: {hidden}
.asciz "and after it"
{more}
.section .note.GNU-stack, "", @progbits
"""
LED_INTO = {
    "a constructor": ("", '.section .init_array, "aw"\n.quad hidden'),
    "a pointer": ("", ".data\n.quad hidden"),
    "a call": ("call hidden\n", ""),
    "a symbol": ("", ".globl hidden\n.type hidden, @function"),
    "a label": ("", ".globl hidden"),
    "an address": ("lea hidden(%rip), %rax\ncall *%rax\n", ""),
}


def assembled(compiler: str, folder: Path, source: str, *options: str) -> Path:
    path, target = folder / "source.s", folder / "lib.so"
    path.write_text(source)
    # One segment has the code, and with it the constants, the tables and the headers of the file.
    one = "-Wl,-z,noseparate-code"
    subprocess.run([compiler, "-shared", "-nostdlib", one, *options, "-o", str(target), str(path)], check=True)
    return target


def at_baseline(path: Path) -> AuditResult:
    return audit([path], matrix=None, level="x86-64", select=["VA1"])


def written(folder: Path, data: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("way", LED_INTO)
def test_code_among_constants_is_found_where_something_leads_into_it(way: str, compiler: str, tmp_path: Path) -> None:
    call, more = LED_INTO[way]
    path = assembled(compiler, tmp_path, TEXT.format(call=call, hidden=AVX512, more=more))
    result = at_baseline(path)
    assert (result.status, {each.feature for each in result.findings}) == (1, {"avx512f"})
    assert {each.rule for each in result.findings} == {"VA102" if way == "a constructor" else "VA101"}


def test_constants_headers_and_tables_are_no_findings(compiler: str, tmp_path: Path) -> None:
    words = '.asciz "bytes that are words, and no code at all"\n.quad 0x1122334455667788'
    path = assembled(
        compiler, tmp_path, TEXT.format(call="lea hidden(%rip), %rax\n", hidden=words, more=".data\n.quad hidden")
    )
    (binary,) = read_binary(path.read_bytes())
    assert any(each.is_data and b"some words before" in each.data for each in binary.code)
    assert [each.section for each in binary.said] == [".text"]
    result = at_baseline(path)
    assert (result.status, result.findings, result.unaudited) == (0, (), ())


def test_a_hole_between_sections_is_read(compiler: str, tmp_path: Path) -> None:
    # The section ends before its last function, says its header.
    source = "__attribute__((used)) static int first(void) { return 1; }\n" + ENTRY
    source += '__asm__(".text\\n.globl hidden\\n.type hidden, @function\\nhidden: vaddps %zmm2, %zmm1, %zmm0\\nret");'
    path = compiled(compiler, tmp_path, source)
    data = bytearray(path.read_bytes())
    assert at_baseline(path).status == 1
    (text,) = [each for each in read_binary(bytes(data))[0].code if each.section == ".text"]
    header = data.index(struct.pack("<QQQ", text.address, text.address, len(text.data)))
    place = text.data.index(HIDDEN)
    data[header + 16 : header + 24] = struct.pack("<Q", place)
    (binary,) = read_binary(bytes(data))
    assert text.address + place in {each.address for each in binary.functions}
    result = at_baseline(written(tmp_path, bytes(data), "cut.so"))
    assert "avx512f" in {each.feature for each in result.findings}


def segments(data: bytes | bytearray) -> list[tuple[int, int, int, int, int, int]]:
    """Return of each program header its place, type, flags, offset, address and size in the file."""
    (begin,), (number,) = struct.unpack_from("<Q", data, 0x20), struct.unpack_from("<H", data, 0x38)
    places = range(begin, begin + 56 * number, 56)
    return [(place, *struct.unpack_from("<IIQQ8xQ", data, place)) for place in places]


def test_the_rest_of_the_last_page_is_read(compiler: str, tmp_path: Path) -> None:
    source = '__attribute__((constructor)) static void first(void) { __asm__ volatile("nop"); }\n' + ENTRY
    path = compiled(compiler, tmp_path, source)
    data = bytearray(path.read_bytes())
    ((offset, address, size),) = [each[3:] for each in segments(data) if each[1] == 1 and each[2] & 1]
    end = offset + size + 16
    assert not any(data[offset + size : end + 16])
    data[end : end + len(HIDDEN)] = HIDDEN
    (before,) = read_binary(bytes(data))
    first = next(each.address for each in before.functions if each.name == "first")
    addend = data.rindex(struct.pack("<QQ", 8, first)) + 8  # R_X86_64_RELATIVE and what is added
    data[addend : addend + 8] = struct.pack("<Q", address + size + 16)
    result = at_baseline(written(tmp_path, bytes(data), "page.so"))
    assert [each.rule for each in result.findings] == ["VA102"]


@pytest.mark.parametrize(
    ("offset", "words"), [(0x2000, "two of its segments are loaded at the same address"), (0x10, "cannot be mapped")]
)
def test_other_code_over_the_code_that_is_read_is_damage(
    offset: int, words: str, compiler: str, tmp_path: Path
) -> None:
    data = bytearray(compiled(compiler, tmp_path, ENTRY).read_bytes())
    ((at, size),) = [each[4:] for each in segments(data) if each[1] == 1 and each[2] & 1]
    stack = next(each[0] for each in segments(data) if each[1] == 0x6474E551)
    free = at + (size + 0xF) // 0x10 * 0x10
    data[stack : stack + 56] = struct.pack("<IIQQQQQQ", 1, 5, free % 0x1000 + offset, free, free, 16, 16, 0x1000)
    result = at_baseline(written(tmp_path, bytes(data), "over.so"))
    assert result.status == 2
    assert words in result.text()


def test_names_come_back_although_what_is_no_code_has_changed(compiler: str, tmp_path: Path) -> None:
    path = assembled(compiler, tmp_path, TEXT.format(call="", hidden=".quad 1", more=""))
    bare = tmp_path / "bare.so"
    subprocess.run(["strip", "-o", str(bare), str(path)], check=True)
    (one,), (two,) = read_binary(bare.read_bytes()), read_binary(path.read_bytes())
    assert one.code != two.code
    assert with_symbols(one, two).functions == two.functions


POINTERS = """
.text
.globl demo_open, own, other
.type demo_open, @function
demo_open: mov thing@GOTPCREL(%rip), %rax
ret
.size demo_open, . - demo_open
inner: nop
kept: nop
own: nop
thing: nop
.globl thing
.type thing, @object
.size thing, 1
.data
.balign 8
.quad inner, kept, 1, own + 1, elsewhere
.section .note.GNU-stack, "", @progbits
"""


@pytest.mark.parametrize("packed", [False, True])
def test_what_relocations_point_to(packed: bool, compiler: str, tmp_path: Path) -> None:
    options = ["-Wl,-z,pack-relative-relocs"] if packed else []
    (binary,) = read_binary(assembled(compiler, tmp_path, POINTERS, *options).read_bytes())
    (text,) = binary.said
    end = text.address + len(text.data)
    # inner, kept, own + 1, which is thing
    assert binary.pointed == (end - 4, end - 3, end - 1)


def test_a_macho_segment_is_read_beside_its_code(tmp_path: Path) -> None:
    code = b"\xb8\x01\x00\x00\x00\xc3".ljust(16, b"\xcc") * 4
    (binary,) = read_binary(macho(code, beside=HIDDEN, constructor=len(code)))
    place = MACHO_BASE + 0x1000 + len(code)
    assert binary.constructors == (place,)
    assert any(each.is_data and each.address == place and each.data.startswith(HIDDEN) for each in binary.code)
    result = at_baseline(written(tmp_path, macho(code, beside=HIDDEN, constructor=len(code)), "lib.dylib"))
    assert {each.rule for each in result.findings} == {"VA102"}


def test_macho_sections_are_code_where_none_of_a_segment_says_so() -> None:
    (binary,) = read_binary(macho(attributes=0))
    assert [each.section for each in binary.said] == ["__text"]
    assert binary.constructors == (MACHO_BASE + 0x1010,)


def test_a_macho_section_that_lies_elsewhere_than_it_says_is_damage(tmp_path: Path) -> None:
    place = struct.pack("<QQI", 0x1000, 64, 0x1000)  # address, size and offset of __text
    data = macho()
    assert data.count(place) == 1
    moved = data.replace(place, struct.pack("<QQI", 0x1000, 64, 0x1080))
    result = at_baseline(written(tmp_path, moved, "lib.dylib"))
    assert result.status == 2
    assert "is not what is loaded at that address" in result.text()


def said_of(data: bytes) -> list[tuple[int, bool]]:
    (binary,) = read_binary(data)
    return [(each.address - PE_BASE, each.is_data) for each in binary.code]


def test_a_pe_section_is_code_where_it_can_be_executed_and_up_to_the_end_of_a_page() -> None:
    assert said_of(pe(flags=0x60000040)) == [(0x1000, False)]  # executable, and initialized data
    assert said_of(pe(beside=HIDDEN)) == [(0x1000, False), (0x1040, True)]


def test_what_relocations_of_a_pe_file_point_to() -> None:
    binary: Binary
    (binary,) = read_binary(pe())
    assert binary.pointed == (PE_BASE + 0x1010,)


def dynamic(data: bytes | bytearray) -> dict[int, int]:
    """Return where the entries of the dynamic section are in a file, by their tags."""
    ((offset, size),) = [(each[3], each[5]) for each in segments(data) if each[1] == 2]
    return {struct.unpack_from("<Q", data, place)[0]: place for place in reversed(range(offset, offset + size, 16))}


CONSTRUCTED = TEXT.format(call="", hidden=AVX512, more='.section .init_array, "aw"\n.quad hidden')


@pytest.mark.parametrize("kind", [1, 6, 7])  # R_X86_64_64, GLOB_DAT, JUMP_SLOT
def test_a_relocation_without_a_symbol_has_its_addend(kind: int, compiler: str, tmp_path: Path) -> None:
    data = bytearray(assembled(compiler, tmp_path, CONSTRUCTED).read_bytes())
    places = dynamic(data)
    (relocations,) = struct.unpack_from("<Q", data, places[7] + 8)  # one segment has them where the file has them
    assert struct.unpack_from("<Q", data, relocations + 8) == (8,)  # R_X86_64_RELATIVE
    struct.pack_into("<Q", data, relocations + 8, kind)
    struct.pack_into("<QQ", data, places[0x6FFFFFF9], 0x6FFFFFF9, 0)  # DT_RELACOUNT
    result = at_baseline(written(tmp_path, bytes(data), "other.so"))
    if kind == 1:
        assert {each.rule for each in result.findings} == {"VA102"}
    else:
        assert "cannot be told from its relocations" in result.text()
    assert result.status == (1 if kind == 1 else 2)


@pytest.mark.parametrize("tag", [25, 27, 7, 8, 5, 6])  # INIT_ARRAY, INIT_ARRAYSZ, RELA, RELASZ, STRTAB, SYMTAB
def test_what_the_loader_takes_the_last_of_is_not_there_twice(tag: int, compiler: str, tmp_path: Path) -> None:
    data = bytearray(assembled(compiler, tmp_path, CONSTRUCTED).read_bytes())
    struct.pack_into("<QQ", data, dynamic(data)[0], tag, 0)  # there is another DT_NULL behind it
    result = at_baseline(written(tmp_path, bytes(data), "twice.so"))
    assert result.status == 2
    assert "it is a damaged ELF file: its dynamic section has DT_" in result.text()
    assert " twice. Build it again." in result.text()


def test_there_is_one_dynamic_section(compiler: str, tmp_path: Path) -> None:
    data = bytearray(assembled(compiler, tmp_path, CONSTRUCTED).read_bytes())
    first, stack = (next(each[0] for each in segments(data) if each[1] == kind) for kind in (2, 0x6474E551))
    data[stack : stack + 56] = data[first : first + 56]
    result = at_baseline(written(tmp_path, bytes(data), "two.so"))
    assert result.status == 2
    assert "it has a dynamic section twice. Build it again." in result.text()


def test_the_dynamic_section_ends_where_it_says(compiler: str, tmp_path: Path) -> None:
    data = bytearray(assembled(compiler, tmp_path, CONSTRUCTED).read_bytes())
    first = next(each[0] for each in segments(data) if each[1] == 2)
    for size in (0, 16):
        data[first + 32 : first + 40] = struct.pack("<Q", size)
        result = at_baseline(written(tmp_path, bytes(data), "short.so"))
        assert result.status == 2
        assert "its dynamic section does not end where it says." in result.text()
