"""Files that say of themselves what is not so: what they run is found, or they are not taken for audited."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import lief
import pytest

from audited import ENTRY, kernels, level_matrix, manifest
from native_files import compiled
from tiny_wheels import wheel
from variantkit.audit import AuditResult, audit

AVX512 = "vaddps %zmm2, %zmm1, %zmm0\nret\n"
IN_RODATA = f"""
.section .rodata
.globl hidden
hidden: {AVX512}
.section .init_array, "aw"
.quad hidden
.section .note.GNU-stack, "", @progbits
"""
AN_OBJECT = f"""
.text
.type hidden, @object
hidden: {AVX512}
.size hidden, . - hidden
.section .init_array, "aw"
.quad hidden
.section .note.GNU-stack, "", @progbits
"""


def assembled(compiler: str, folder: Path, source: str, *options: str) -> Path:
    path = folder / "source.s"
    path.write_text(source)
    target = folder / "lib.so"
    subprocess.run([compiler, "-shared", "-nostdlib", *options, "-o", str(target), str(path)], check=True)
    return target


def at_baseline(path: Path) -> AuditResult:
    return audit([path], matrix=None, level="x86-64")


def test_a_constructor_in_what_is_called_data_is_not_passed_over(compiler: str, tmp_path: Path) -> None:
    result = at_baseline(assembled(compiler, tmp_path, IN_RODATA, "-Wl,-z,noseparate-code"))
    assert result.status == 2
    assert "lies outside of its code" in result.text()


def test_a_constructor_that_is_called_an_object_is_decoded(compiler: str, tmp_path: Path) -> None:
    result = at_baseline(assembled(compiler, tmp_path, AN_OBJECT))
    assert "VA102" in {each.rule for each in result.findings}
    assert "avx512f" in {each.feature for each in result.findings}


def test_a_section_whose_header_points_elsewhere_is_damage(compiler: str, tmp_path: Path) -> None:
    path = compiled(compiler, tmp_path, ENTRY)
    assert at_baseline(path).status == 0
    data = bytearray(path.read_bytes())
    headers = int.from_bytes(data[40:48], "little")
    for place in range(headers, len(data) - 63, 64):
        flags = int.from_bytes(data[place + 8 : place + 16], "little")
        if flags & 4:  # SHF_EXECINSTR
            offset = int.from_bytes(data[place + 24 : place + 32], "little")
            data[place + 24 : place + 32] = (offset - 16).to_bytes(8, "little")
    path.write_bytes(data)
    result = at_baseline(path)
    assert result.status == 2
    assert "is not what is loaded at that address" in result.text()


def test_code_that_can_be_written_to_is_found(compiler: str, tmp_path: Path) -> None:
    source = '.section .both, "awx"\nret\n.section .note.GNU-stack, "", @progbits\n'
    result = at_baseline(assembled(compiler, tmp_path, source))
    assert "VA206" in {each.rule for each in result.findings}


def test_relocations_in_code_are_found(compiler: str, tmp_path: Path) -> None:
    source = '.text\n.globl f\nf: ret\n.quad f\n.section .note.GNU-stack, "", @progbits\n'
    result = at_baseline(assembled(compiler, tmp_path, source, "-Wl,-z,notext"))
    assert [each.message.partition(".")[0] for each in result.findings] == ["it has relocations in its code"]


INIT = """
.text
.globl plain
.type plain, @function
plain: ret
.globl hidden
.type hidden, @object
hidden: vaddps %zmm2, %zmm1, %zmm0
ret
.size hidden, . - hidden
.section .init_array, "aw"
.quad plain
.section .note.GNU-stack, "", @progbits
"""


@pytest.mark.parametrize(
    ("kind", "options", "status", "words"),
    [
        (1, ["-Wl,-q"], 1, "VA102"),  # beside it, the relocation of a section still says `plain`
        (6, [], 1, "VA102"),  # R_X86_64_GLOB_DAT
        (16, [], 2, "cannot be told from its relocations"),
    ],
)
def test_a_constructor_is_what_the_loader_makes_it(
    kind: int, options: list[str], status: int, words: str, compiler: str, tmp_path: Path
) -> None:
    path = assembled(compiler, tmp_path, INIT, *options)
    data = bytearray(path.read_bytes())
    elf = lief.ELF.parse(bytes(data))
    assert elf is not None
    names = [each.name for each in elf.dynamic_symbols]
    place = data.index(struct.pack("<QQ", names.index("plain") << 32 | 1, 0))  # R_X86_64_64, with nothing added
    data[place : place + 8] = struct.pack("<Q", names.index("hidden") << 32 | kind)
    path.write_bytes(data)
    result = at_baseline(path)
    assert result.status == status
    assert words in result.text()


def test_a_constructor_calls_through_a_pointer_that_has_a_value(compiler: str, tmp_path: Path) -> None:
    call = INIT.replace("plain: ret", "plain: call *pointer(%rip)\nret") + ".data\n.balign 8\npointer: .quad within\n"
    source = call.replace("hidden: ", "hidden: ret\nwithin: ").replace("@object", "@function")
    result = at_baseline(assembled(compiler, tmp_path, source))
    assert {(each.rule, each.feature) for each in result.findings} == {("VA102", "avx512f")}


def test_an_empty_place_in_a_search_path_is_the_current_directory(compiler: str, tmp_path: Path) -> None:
    result = at_baseline(compiled(compiler, tmp_path, ENTRY, "-Wl,-rpath,$ORIGIN:"))
    (finding,) = [each for each in result.findings if each.rule == "VA205"]
    assert "the current directory" in finding.message


@pytest.mark.parametrize(
    ("name", "files", "words"),
    [
        ("demo_avx2-1.0-py3-none-any.whl", {"demo_avx2/MANIFEST": ("avx512", "lib.so")}, "its name says 'avx2'"),
        ("demo_avx2-1.0-py3-none-any.whl", {"demo_avx2/MANIFEST": ("avx2", "other.so")}, "no native file beside it"),
        ("demo_avx2-1.0-py3-none-any.whl", {}, "is for 'avx2' and has no library"),
        ("demo-1.0-py3-none-any.whl", {"demo/MANIFEST": ("avx2", "lib.so")}, "its name says 'generic'"),
    ],
)
def test_a_manifest_speaks_for_its_own_library_in_its_own_wheel(
    compiler: str, tmp_path: Path, name: str, files: dict[str, tuple[str, str]], words: str
) -> None:
    library = kernels(compiler, tmp_path, "x86-64-v3", ENTRY)
    folder = name.partition("-")[0]
    contents = {f"{folder}/lib.so": library, **{place: manifest(*fields) for place, fields in files.items()}}
    result = audit([wheel(tmp_path / "dist", name, contents)], matrix=level_matrix(), select=["VA1"])
    assert result.status in {1, 2}
    assert words in result.text()


def test_no_rules_are_no_audit(compiler: str, tmp_path: Path) -> None:
    assert audit([compiled(compiler, tmp_path, ENTRY)], matrix=None, level="x86-64", ignore=["VA"]).status == 2
