"""Reading ELF, PE and Mach-O files: what is code, which functions there are, what runs when they are loaded."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from native_files import MACHO_BASE, PE_BASE, compiled, fat, for_arm, macho, pe
from variantkit.audit.binary import Binary, format_of, read_binary, with_symbols
from variantkit.errors import BinaryError

SOURCE = """
static int count;
__attribute__((constructor)) static void first(void) { count += 1; }
__attribute__((constructor(200))) static void early(void) { count += 2; }
static int plain(int x) { return x + count; }
static int (*choose(void))(int) { return plain; }
int chosen(int x) __attribute__((ifunc("choose")));
int entry(int x) { return chosen(x) + 1; }
const unsigned char table[16] __attribute__((section(".text,\\"ax\\",@progbits#"))) = {0xc4, 0xe2, 0x7d};
"""


OPTIONS = ("-Wl,--build-id=sha1", "-Wl,-z,noexecstack", "-Wl,--no-as-needed", "-lm")


@pytest.fixture(scope="module")
def library(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(compiler, tmp_path_factory.mktemp("elf"), SOURCE, *OPTIONS)


def read(path: Path) -> Binary:
    (binary,) = read_binary(path.read_bytes())
    return binary


def named(binary: Binary) -> dict[str, int]:
    return {each.name: each.address for each in binary.functions}


def stripped(path: Path, folder: Path) -> Path:
    target = folder / "stripped.so"
    subprocess.run(["strip", "-o", str(target), str(path)], check=True)
    return target


def test_an_elf_file(library: Path) -> None:
    binary = read(library)
    assert (binary.format, binary.machine, binary.stripped) == ("ELF", "x86_64", False)
    assert {"first", "early", "plain", "choose", "entry"} <= named(binary).keys()
    assert binary.exported == ("chosen", "entry", "table")
    assert "libm.so.6" in binary.needed
    assert binary.search_path == ()
    assert not binary.executable_stack
    assert len(binary.build_id) == 40
    assert list(binary.functions) == sorted(binary.functions, key=lambda each: each.address)
    text = next(each for each in binary.code if each.section == ".text")
    entry = next(each for each in binary.functions if each.name == "entry")
    assert text.address <= entry.address < entry.address + entry.size <= text.address + len(text.data)


def test_what_runs_at_load_comes_in_the_order_in_which_it_does(library: Path) -> None:
    binary = read(library)
    functions = named(binary)
    order = [each for each in binary.constructors if each in {functions["first"], functions["early"]}]
    assert order == [functions["early"], functions["first"]]
    assert binary.constructors[0] == functions["_init"]
    assert binary.resolvers == (functions["choose"],)


def test_constructors_are_where_relocations_put_them(library: Path, compiler: str, tmp_path: Path) -> None:
    # Relative relocations in packed form have their addend in the file, others in their table.
    packed = compiled(compiler, tmp_path, SOURCE, "-Wl,-z,pack-relative-relocs")
    binary, other = read(packed), read(library)
    assert [each.name for each in binary.functions if each.address in binary.constructors] == [
        each.name for each in other.functions if each.address in other.constructors
    ]
    data = library.read_bytes()
    # What lies in .init_array itself does not count.
    words = {each.to_bytes(8, "little") for each in other.constructors[1:]}
    for word in words:
        assert word in data
        data = data.replace(word, word)  # the table of relocations has them too
    assert read_binary(data)[0].constructors == other.constructors


def test_objects_in_the_code_are_known_not_to_be_code(library: Path) -> None:
    binary = read(library)
    text = next(each for each in binary.code if each.section == ".text")
    ((begin, end),) = binary.data_in_code
    assert end - begin == 16
    assert text.data[begin - text.address :].startswith(b"\xc4\xe2\x7d")


def test_a_stripped_file_has_functions_by_its_unwind_tables(library: Path, tmp_path: Path) -> None:
    binary, whole = read(stripped(library, tmp_path)), read(library)
    assert binary.stripped
    assert "first" not in named(binary)
    plain = next(each for each in whole.functions if each.name == "plain")
    found = next(each for each in binary.functions if each.address == plain.address)
    assert found.name == hex(plain.address)
    assert found.size == plain.size
    assert binary.constructors == whole.constructors
    assert binary.resolvers == whole.resolvers  # the relocations name them


def test_names_come_back_from_an_unstripped_build_of_the_same_code(library: Path, tmp_path: Path) -> None:
    binary, whole = read(stripped(library, tmp_path)), read(library)
    mended = with_symbols(binary, whole)
    assert mended.functions == whole.functions
    assert mended.data_in_code == whole.data_in_code
    assert not mended.stripped


def test_symbols_of_other_code_are_refused(library: Path, compiler: str, tmp_path: Path) -> None:
    other = read(compiled(compiler, tmp_path, SOURCE.replace("+ 1", "+ 2"), name="other.so"))
    with pytest.raises(BinaryError, match="of other code"):
        with_symbols(read(stripped(library, tmp_path)), other)


def test_a_file_without_section_headers_is_read_by_its_segments(library: Path, tmp_path: Path) -> None:
    (binary,) = read_binary(without_sections(stripped(library, tmp_path)))
    whole = read(library)
    (code,) = binary.code
    text = next(each for each in whole.code if each.section == ".text")
    assert text.data in code.data
    assert binary.constructors == whole.constructors


def without_sections(path: Path) -> bytes:
    data = bytearray(path.read_bytes())
    data[0x28:0x30] = bytes(8)  # e_shoff
    data[0x3A:0x40] = bytes(6)
    return bytes(data)


def test_a_segment_that_no_section_tells_of_is_code_too(library: Path) -> None:
    data = bytearray(library.read_bytes())
    # All flags of all sections are taken away: what is mapped executable runs all the same.
    start = int.from_bytes(data[0x28:0x30], "little")
    for index in range(int.from_bytes(data[0x3C:0x3E], "little")):
        data[start + 64 * index + 8 : start + 64 * index + 16] = (2).to_bytes(8, "little")
    text = next(each for each in read(library).code if each.section == ".text")
    assert any(text.data in each.data for each in read_binary(bytes(data))[0].code)


@pytest.mark.parametrize("level", ["x86-64-v2", "x86-64-v3", "x86-64-v4"])
def test_the_isa_note(level: str, compiler: str, tmp_path: Path) -> None:
    path = compiled(compiler, tmp_path, SOURCE, f"-Wl,-z,{level}")
    assert read(path).isa_note == level
    assert read_binary(without_sections(path))[0].isa_note == level


def test_a_note_that_is_not_loaded_says_nothing_to_the_loader(compiler: str, tmp_path: Path) -> None:
    data = bytearray(compiled(compiler, tmp_path, SOURCE, "-Wl,-z,x86-64-v3").read_bytes())
    first, number = int.from_bytes(data[0x20:0x28], "little"), int.from_bytes(data[0x38:0x3A], "little")
    for place in range(first, first + 56 * number, 56):
        if int.from_bytes(data[place : place + 4], "little") in {4, 0x6474E553}:  # PT_NOTE, PT_GNU_PROPERTY
            data[place : place + 4] = bytes(4)
    assert read_binary(bytes(data))[0].isa_note == ""


def test_all_that_the_loader_loads_is_needed(compiler: str, tmp_path: Path) -> None:
    ways = ["-f,liba.so", "-F,libb.so", "--audit=libc1.so:libc2.so", "--depaudit=libd.so"]
    binary = read(compiled(compiler, tmp_path, SOURCE, *(f"-Wl,{way}" for way in ways)))
    assert set(binary.needed) >= {"liba.so", "libb.so", "libc1.so", "libc2.so", "libd.so"}
    assert set(binary.auditors) == {"libc1.so", "libc2.so", "libd.so"}
    assert read(compiled(compiler, tmp_path, SOURCE)).auditors == ()


def test_no_isa_note_is_none(library: Path) -> None:
    assert read(library).isa_note == ""


def test_the_property_note_of_arm(compiler: str, tmp_path: Path) -> None:
    path = compiled(compiler, tmp_path, SOURCE, "-Wl,-z,x86-64-v3")
    note, other = struct.pack("<III", 0xC0008002, 4, 4), struct.pack("<III", 0xC0000000, 4, 3)
    data = path.read_bytes()
    assert data.count(note) == 1
    binary = read_binary(for_arm(data.replace(note, other)))[0]
    assert binary.machine == "aarch64"
    assert binary.isa_note == "bti,pac"


def test_an_executable_stack_and_a_search_path(compiler: str, tmp_path: Path) -> None:
    old = compiled(
        compiler, tmp_path, SOURCE, "-Wl,-z,execstack", "-Wl,-rpath,/opt/a:$ORIGIN/b", "-Wl,--disable-new-dtags"
    )
    assert read(old).executable_stack
    assert read(old).search_path == ("/opt/a", "$ORIGIN/b")
    new = compiled(compiler, tmp_path, SOURCE, "-Wl,-rpath,$ORIGIN", "-Wl,--enable-new-dtags", name="new.so")
    assert read(new).search_path == ("$ORIGIN",)


def test_a_pe_file() -> None:
    (binary,) = read_binary(pe())
    assert (binary.format, binary.machine) == ("PE", "x86_64")
    assert [(each.section, each.address) for each in binary.code] == [(".text", PE_BASE + 0x1000)]
    assert [(each.name, each.address - PE_BASE, each.size) for each in binary.functions] == [
        ("entry", 0x1000, 6),
        (hex(PE_BASE + 0x1010), 0x1010, 6),
        (hex(PE_BASE + 0x1020), 0x1020, 6),
    ]
    # First the TLS callback, then the entry point.
    assert binary.constructors == (PE_BASE + 0x1010, PE_BASE + 0x1020)
    assert binary.exported == ("entry",)
    assert binary.needed == ("KERNEL32.dll",)
    assert not binary.executable_stack


def test_a_pe_file_without_nx_has_an_executable_stack() -> None:
    assert read_binary(pe(characteristics=0x60))[0].executable_stack


def test_a_macho_file() -> None:
    (binary,) = read_binary(macho())
    assert (binary.format, binary.machine) == ("Mach-O", "x86_64")
    assert named(binary) == {"_entry": MACHO_BASE + 0x1000, "_started": MACHO_BASE + 0x1010}
    assert binary.constructors == (MACHO_BASE + 0x1010,)
    assert binary.exported == ("_entry",)
    assert binary.needed == ("/usr/lib/libSystem.B.dylib",)
    assert binary.search_path == ("@loader_path/libs",)
    assert binary.data_in_code == ((0x1030, 0x1040),)
    assert binary.build_id == bytes(range(16)).hex()


def test_a_fat_macho_file_has_an_image_for_each_machine() -> None:
    one, two = read_binary(fat(macho(), macho(cpu=0x0100000C)))
    assert (one.machine, two.machine) == ("x86_64", "aarch64")
    assert one.said == two.said
    assert one.data_in_code == two.data_in_code == ((0x1030, 0x1040),)


def test_formats_are_told_by_how_files_begin() -> None:
    assert format_of(b"\x7fELF" + bytes(60)) == "ELF"
    assert format_of(pe()[:64]) == "PE"
    assert format_of(macho()[:64]) == "Mach-O"
    assert format_of(fat(macho())[:64]) == "Mach-O"
    # A class file of Java, a text, nothing.
    assert format_of(bytes.fromhex("cafebabe00000034") + bytes(56)) is None
    assert format_of(b"MZ is how this text begins, and it goes on for longer than sixty-four letters do") is None
    assert format_of(b"") is None


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "none of ELF, PE and Mach-O"),
        (b"\x7fELF", "damaged ELF"),
        (pe()[:0x300], "cut short"),
        (pe()[:0x500], "cut short"),
        (macho()[:0x20], "damaged Mach-O"),
        (fat(macho(), macho())[:0x2000], "Mach-O"),
        (macho()[:0x1020], "Mach-O"),
    ],
)
def test_what_is_broken_is_said(data: bytes, what: str) -> None:
    with pytest.raises(BinaryError, match=what) as caught:
        read_binary(data)
    assert str(caught.value).endswith((".",))


def test_a_file_that_was_cut_short_is_not_taken_for_less(library: Path) -> None:
    data = library.read_bytes()
    text = next(each for each in read(library).code if each.section == ".text")
    end = data.index(text.data) + len(text.data)
    with pytest.raises(BinaryError):
        read_binary(data[: end - 4])


def test_code_where_nothing_can_be_loaded_is_refused() -> None:
    data = macho()
    section = struct.pack("<QQ", 0x1000, 64)
    segment = struct.pack("<QQQQ", MACHO_BASE, 0x1000, 0, 0x2000)  # address, size, offset, and size in the file
    assert (data.count(section), data.count(segment)) == (1, 1)
    high = 1 << 63
    data = data.replace(section, struct.pack("<QQ", high + 0x1000, 64))
    with pytest.raises(BinaryError, match="where nothing can be loaded"):
        read_binary(data.replace(segment, struct.pack("<QQQQ", high, 0x1000, 0, 0x2000)))


def test_an_object_file_is_not_loaded(compiler: str, tmp_path: Path) -> None:
    path = compiled(compiler, tmp_path, "int f(void) { return 1; }", "-c", "-fno-lto", name="made.o")
    with pytest.raises(BinaryError, match="not loaded: REL"):
        read(path)


def test_ctrl_c_while_lief_is_imported_is_no_abort() -> None:
    """Its enumerations are made while its extension module is initialized, where an exception ends the process."""
    script = """
import enum, os, signal, sys

def made(*words, new=enum.EnumMeta.__new__, **named):
    if "lief" in sys.modules and not hasattr(enum, "interrupted"):
        enum.interrupted = True
        os.kill(os.getpid(), signal.SIGINT)
    return new(*words, **named)

enum.EnumMeta.__new__ = staticmethod(made)
from variantkit.audit.binary import read_binary
try:
    read_binary(open(sys.executable, "rb").read())
except KeyboardInterrupt:
    sys.exit(0 if hasattr(enum, "interrupted") else 3)
sys.exit(4)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
