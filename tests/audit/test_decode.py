"""What code needs, function by function; above all where data lies in it, or names are missing."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from machine_code import assembled, code, features, function, needs, without_names
from native_files import compiled
from variantkit.audit.binary import Code, Symbol, read_binary
from variantkit.audit.decode import CodeUse, code_use
from variantkit.errors import BinaryError

VPADDD = bytes.fromhex("c5f5fec2")  # vpaddd ymm0, ymm1, ymm2
RET = b"\xc3"


def use_of(compiler: str, folder: Path, source: str, *options: str) -> CodeUse:
    return needs(assembled(compiler, folder, source, *options))


def test_each_function_has_its_own_first_instruction_for_each_feature(compiler: str, tmp_path: Path) -> None:
    source = function("plain", "mov eax, 1; ret") + function(
        "wide",
        "vmovaps ymm1, [rdi]; vpaddd ymm0, ymm1, ymm1; vpaddd ymm0, ymm0, ymm0; vfmadd213ps ymm0, ymm1, ymm2; ret",
    )
    use = use_of(compiler, tmp_path, source)
    wide = next(each for each in use.functions if each.name == "wide")
    assert {feature: each.text for feature, each in wide.features.items()} == {
        "avx": "vmovaps ymm1, [rdi]",
        "avx2": "vpaddd ymm0, ymm1, ymm1",
        "fma": "vfmadd213ps ymm0, ymm1, ymm2",
    }
    assert wide.features["avx2"].address == wide.address + 4
    assert wide.features["avx2"].features == {"avx2"}
    assert features(use)["plain"] == set()
    assert use.instructions == 7
    assert use.vector_widths == {("VEX", 256): 4}
    assert use.undecoded == ()
    assert not use.detects


# TZCNT is REP BSF to a CPU without BMI1, and compilers write it for all x86-64 CPUs: 1,724 times in faiss's generic library.
def test_tzcnt_as_compilers_write_it_is_no_bmi1(compiler: str, tmp_path: Path) -> None:
    source = (
        "int first(unsigned x) { return __builtin_ctz(x); } int many(unsigned long x) { return __builtin_ctzl(x) + 1; }"
    )
    use = needs(compiled(compiler, tmp_path, source, "-O2", "-march=x86-64"))
    assert use.tzcnt == 2
    assert not any(each.features for each in use.functions)


def test_tzcnt_whose_flags_are_used_is_bmi1_and_lzcnt_always_is_abm(compiler: str, tmp_path: Path) -> None:
    source = (
        function("zero_too", "mov eax, 32; tzcnt edx, edi; cmovnc eax, edx; ret")
        + function("jumps", "tzcnt edx, edi; lea rax, [rdx+1]; jz 1f; inc eax; 1: ret")
        + function("others", "tzcnt edx, edi; test edx, edx; jz 1f; inc eax; 1: ret")
        + function("leading", "lzcnt eax, edi; ret")
    )
    use = use_of(compiler, tmp_path, source)
    found = features(use)
    assert (found["zero_too"], found["jumps"], found["others"]) == ({"bmi1"}, {"bmi1"}, set())
    assert found["leading"] == {"abm"}
    assert use.tzcnt == 1


def test_xgetbv_is_part_of_asking_cpuid_and_needs_xsave_anywhere_else(compiler: str, tmp_path: Path) -> None:
    # numpy#15342: it faults itself where the system does not use XSAVE.
    source = (
        function("detect", "push rbx; mov eax, 1; cpuid; xor ecx, ecx; xgetbv; pop rbx; call read; ret")
        + function("read", "xor ecx, ecx; xgetbv; ret")
        + function("blind", "xor ecx, ecx; xgetbv; ret")
    )
    use = use_of(compiler, tmp_path, source)
    found = features(use)
    assert (found["detect"], found["read"], found["blind"]) == (set(), set(), {"xsave"})
    assert use.detects


def test_a_shadow_stack_is_used_by_who_has_asked_for_it(compiler: str, tmp_path: Path) -> None:
    source = function("unwind", "xor eax, eax; rdsspq rax; test rax, rax; je 1f; incsspq rcx; 1: ret") + function(
        "blind", "incsspq rcx; ret"
    )
    found = features(use_of(compiler, tmp_path, source))
    assert (found["unwind"], found["blind"]) == (set(), {"user_shstk"})


def test_what_is_not_known_is_reported(compiler: str, tmp_path: Path) -> None:
    found = features(use_of(compiler, tmp_path, function("kernel", "wrmsr; ret")))
    assert found["kernel"] == {"unknown:MSR"}


# The end of the pool is the begin of `mov rax, imm64`, which would swallow the instructions behind it.
POOL = ".quad 0x9090909090909090; .byte 0x48, 0xb8"


def test_code_behind_a_literal_pool_is_found_and_the_pool_is_not_code(compiler: str, tmp_path: Path) -> None:
    source = function(
        "mixed", f"jmp 1f; .byte 0x62, 0xf1, 0x74, 0x48, 0x58, 0xc2; {POOL}; 1: vpaddd ymm0, ymm1, ymm2; ret"
    )
    use = use_of(compiler, tmp_path, source)
    assert features(use)["mixed"] == {"avx2"}  # and not avx512f, of the first six bytes of the pool
    (undecoded,) = use.undecoded
    assert (undecoded.name, undecoded.size) == ("mixed", 16)


def test_a_pool_with_a_type_is_known_to_be_data(compiler: str, tmp_path: Path) -> None:
    pool = ".type pool, @object; pool: .byte 0x62, 0xf1, 0x74, 0x48, 0x58, 0xc2; .byte 0x48, 0xb8; .size pool, .-pool"
    source = function("mixed", f"jmp 1f; {pool}; 1: vpaddd ymm0, ymm1, ymm2; ret") + function("last", "ret")
    use = use_of(compiler, tmp_path, source)
    assert features(use)["mixed"] == {"avx2"}
    assert use.undecoded == ()


def test_what_is_called_is_code_whatever_its_type(compiler: str, tmp_path: Path) -> None:
    source = function("caller", "call liar; ret") + function("liar", "vpaddd ymm0, ymm1, ymm2; ret").replace(
        "@function", "@object"
    )
    use = use_of(compiler, tmp_path, source)
    assert set().union(*features(use).values()) == {"avx2"}


# Only an address leads to it: no instruction begins there for a decoder that runs through the two bytes before.
HIDDEN = "lea rax, [rip+.Lhidden]; jmp rax; .byte 0x48, 0xb8; .Lhidden: vaddps zmm0, zmm1, zmm2; ret; nop"


def test_code_to_which_only_an_address_leads_is_found(compiler: str, tmp_path: Path) -> None:
    use = use_of(compiler, tmp_path, function("demo", HIDDEN))
    assert features(use)["demo"] == {"avx512f"}
    assert [each.size for each in use.undecoded] == [2]


@pytest.mark.parametrize("prefix", ["", ".byte 0x66; ", ".byte 0x2e; "])
def test_an_address_is_taken_whatever_stands_before_lea(compiler: str, tmp_path: Path, prefix: str) -> None:
    use = use_of(compiler, tmp_path, function("demo", prefix + HIDDEN.replace("rax, [rip", "r11, [rip")))
    assert features(use)["demo"] == {"avx512f"}


def test_code_to_which_only_a_pointer_in_memory_leads_is_found(compiler: str, tmp_path: Path) -> None:
    body = "jmp [rip+pointer]; .byte 0x48, 0xb8; .Lhidden: vaddps zmm0, zmm1, zmm2; ret; nop"
    pointer = '.section .data.rel.ro, "aw"\npointer: .quad .Lhidden\n'
    use = use_of(compiler, tmp_path, function("demo", body) + pointer)
    assert features(use)["demo"] == {"avx512f"}


def an_object(name: str, body: str) -> str:
    return function(name, body).replace("@function", "@object")


def test_what_is_called_data_and_reads_as_code_is_code_if_its_address_is_taken(compiler: str, tmp_path: Path) -> None:
    takes = function("takes", "lea rax, [rip+liar]; jmp rax")
    leads_on = "test edi, edi; je 1f; vpaddd ymm0, ymm1, ymm2; ret; 1: lea rdx, [rip+second]; call rdx; ret"
    source = takes + an_object("liar", leads_on) + an_object("second", "vaddps zmm0, zmm1, zmm2; ret")
    use = use_of(compiler, tmp_path, source)
    assert set().union(*features(use).values()) == {"avx2", "avx512f"}
    assert use.undecoded == ()
    # Nothing takes it: it is what it is called.
    source = source.replace(takes, "")
    assert not set().union(*features(use_of(compiler, tmp_path, source)).values())


@pytest.mark.parametrize("use", ["movaps xmm0, [rax]; ret", "ret"])
@pytest.mark.parametrize(
    "table",
    [
        ".byte 0xc5, 0xf5, 0xfe, 0xc2, 0x06, 0xc3",  # vpaddd, and then what is no instruction
        ".byte 0xc5, 0xf5, 0xfe, 0xc2",  # nothing ends it
        ".byte 0xc5, 0xf5, 0xfe, 0xc2, 0x75, 0x60, 0xc3",  # it jumps to where nothing is
        ".byte 0xc5, 0xf5, 0xfe, 0xc2, 0xe9, 0, 0, 0, 0x40",
        ".byte 0xc5, 0xf5, 0xfe, 0xc2, 0xed, 0xc3",  # it reads from a port
        '.ascii "all that is needed\\0"; .byte 0xc5, 0xf5, 0xfe, 0xc2, 0xc3',
        ".double 1.5, 0.1, 3.14159; .byte 0xc5, 0xf5, 0xfe, 0xc2, 0xc3",
    ],
)
def test_tables_whose_address_is_taken_stay_data(compiler: str, tmp_path: Path, table: str, use: str) -> None:
    source = function("takes", f"lea rax, [rip+table]; {use}") + an_object("table", table)
    found = use_of(compiler, tmp_path, source + function("next", "vzeroupper; ret"))
    assert set().union(*features(found).values()) == {"avx"}
    assert found.undecoded == ()


def test_a_table_that_is_read_stays_data_whatever_it_reads_as_and_what_is_jumped_to_does_not(
    compiler: str, tmp_path: Path
) -> None:
    table = an_object("table", "vaddps zmm0, zmm1, zmm2; ret")
    source = function("reads", "lea rdx, [rip+table]; mov eax, [rdx+rdi*4]; ret") + table
    assert not set().union(*features(use_of(compiler, tmp_path, source)).values())
    source = source.replace("ret", "jmp rdx", 1)
    assert set().union(*features(use_of(compiler, tmp_path, source)).values()) == {"avx512f"}


WIDE = "mov eax, 5; vmovd xmm0, eax; vpbroadcastd ymm0, xmm0; ret"
JUMPS = function("f", "lea rax, [rip+d]; mov rdx, rax; test eax, eax; cmovz rax, rcx; jmp rdx")


@pytest.mark.parametrize(
    "source",
    [
        JUMPS + an_object("d", f"clc; {WIDE}"),
        JUMPS.replace("jmp rdx", "call rax; ret") + an_object("d", f"test eax, eax; jnz 1f; ret; 1: jc .-0x100000; {WIDE}"),
        JUMPS + ".section .rodata\nd: clc;" + WIDE,
        JUMPS + ".section .rodata\nd: call 1f; ret; 1:" + WIDE,
        # In the number of an instruction: what is read there begins with ENTER.
        function("f", "lea rax, [rip+m+2]; jmp rax; m: .byte 0x48, 0xb8, 0xc8, 0, 0, 0, 0xc9, 0xeb, 3, 0x90, 0x48, 0xb8;"
                 "vpbroadcastd ymm0, xmm0; ret; nop; nop; ret"),
        function("f", "call m+2; ret; m: .byte 0x48, 0xb8; vpbroadcastd ymm0, xmm0; ret; nop; nop; ret"),
    ],
)  # fmt: skip
def test_what_is_jumped_to_for_sure_is_code_whatever_is_there(compiler: str, tmp_path: Path, source: str) -> None:
    use = use_of(compiler, tmp_path, source, "-Wl,-z,noseparate-code")
    assert "avx2" in set().union(*features(use).values())


@pytest.mark.parametrize("where", [".section .rodata\nd:", ""])
def test_what_is_jumped_to_and_cannot_be_read_is_reported(compiler: str, tmp_path: Path, where: str) -> None:
    body = "clc; .byte 6, 6, 6, 6"
    source = JUMPS + (where + body if where else an_object("d", body))
    assert use_of(compiler, tmp_path, source, "-Wl,-z,noseparate-code").undecoded
    added = source.replace("jmp rdx", "add rdx, 8; mov rax, rdx; jmp rax")
    assert not use_of(compiler, tmp_path, added, "-Wl,-z,noseparate-code").undecoded


def test_what_needs_something_before_it_is_unlikely_is_code_if_its_address_is_taken(
    compiler: str, tmp_path: Path
) -> None:
    source = function("takes", "lea rax, [rip+d]; ret") + an_object("d", "vpaddd ymm0, ymm1, ymm2; clc; ret")
    assert features(use_of(compiler, tmp_path, source))["takes"] == set()
    assert set().union(*features(use_of(compiler, tmp_path, source)).values()) == {"avx2"}


@pytest.mark.parametrize("end", ["call g", "nop", "call g; nop; .p2align 4"])
def test_a_call_may_come_back_into_what_is_called_data(compiler: str, tmp_path: Path, end: str) -> None:
    def source(end: str, body: str = WIDE) -> str:
        functions = function("g", "ret") + function("f", f"xor eax, eax; {end}")
        return functions + an_object("d", body).removeprefix(".p2align 4\n")

    assert "avx2" in set().union(*features(use_of(compiler, tmp_path, source(end))).values())
    for ended in (f"{end}; ret", f"{end}; ud2"):
        assert not set().union(*features(use_of(compiler, tmp_path, source(ended))).values())
    use = use_of(compiler, tmp_path, source(end, ".double 1.5, 0.1, 3.14159"))
    assert (set().union(*features(use).values()), use.undecoded) == (set(), ())


def test_an_object_that_can_be_looked_up_is_code_if_it_reads_as_code(compiler: str, tmp_path: Path) -> None:
    source = ".globl d\n" + an_object("d", WIDE)
    assert "avx2" in set().union(*features(use_of(compiler, tmp_path, source)).values())
    assert not set().union(*features(use_of(compiler, tmp_path, source.replace("globl", "local"))).values())
    table = ".globl d\n" + an_object("d", ".double 1.5, 0.1, 3.14159; .byte 0xc5, 0xf5, 0xfe, 0xc2, 0xc3")
    use = use_of(compiler, tmp_path, table)
    assert (use.instructions, use.undecoded) == (0, ())


def test_only_what_is_led_to_is_code_in_what_nothing_says_is_code() -> None:
    hidden = VPADDD + RET
    binary = code(bytes.fromhex("488d0500100000") + b"\xff\xe0" + b"\xe8\x00\x00\x00\x00" + RET, ("f", 0, 15))
    rest = Code(section="", address=0x2000, data=b"a string\0" + b"\6" * 20, is_data=True)
    none = dataclasses.replace(binary, code=(*binary.code, rest))
    assert not set().union(*features(code_use(none)).values())
    # Something jumps there for sure, and there is something that cannot be read.
    assert [each.size for each in code_use(none).undecoded] == [1]
    for place in (7, 12):
        data = bytes(place) + hidden + b"\6" * 20
        taken = dataclasses.replace(binary, code=(*binary.code, dataclasses.replace(rest, data=data)))
        assert bool(set().union(*features(code_use(taken)).values())) == (place == 7)
        assert code_use(taken).undecoded == ()
        # The same of what the loader keeps a pointer to, of what runs at load, and of what has a name.
        for field in ("pointed", "constructors", "resolvers"):
            found = features(code_use(dataclasses.replace(taken, **{field: (0x2000 + place,)})))
            assert set().union(*found.values()) == {"avx2"}
        named = dataclasses.replace(taken, functions=(*taken.functions, Symbol(name="g", address=0x2000 + place)))
        assert features(code_use(named))["g"] == {"avx2"}


def test_what_is_run_into_is_code_whatever_its_type(compiler: str, tmp_path: Path) -> None:
    source = function("runs_on", "mov eax, 1").replace(".p2align 4\n", "") + an_object(
        "liar", "vpaddd ymm0, ymm1, ymm2; ret"
    ).replace(".p2align 4\n", "")
    assert set().union(*features(use_of(compiler, tmp_path, source)).values()) == {"avx2"}


def test_the_cases_of_a_jump_table_in_text_are_code(compiler: str, tmp_path: Path) -> None:
    body = (
        "lea rdx, [rip+9f]; movsxd rax, dword ptr [rdx+rdi*4]; add rax, rdx; jmp rax;"
        ".p2align 2; 9: .long 1f-9b, 2f-9b, 3f-9b; .byte 0x48, 0xb8;"
        "1: vpaddd ymm0, ymm1, ymm2; ret; 2: vfmadd213ps ymm0, ymm1, ymm2; ret; 3: vaddps zmm0, zmm1, zmm2; ret"
    )
    use = use_of(compiler, tmp_path, function("switch", body))
    assert features(use)["switch"] == {"avx2", "fma", "avx512f"}


def test_a_jump_over_a_prefix(compiler: str, tmp_path: Path) -> None:
    body = "cmp dword ptr [rdi], 0; je 1f; .byte 0xf0; 1: cmpxchg [rsi], ecx; vpaddd ymm0, ymm1, ymm2; ret"
    use = use_of(compiler, tmp_path, function("glibc", body))
    assert features(use)["glibc"] == {"avx2"}
    assert use.undecoded == ()


def test_a_jump_into_the_middle_of_a_function_shows_what_is_hidden_there(compiler: str, tmp_path: Path) -> None:
    # mov rax, imm64 whose constant is code: vpaddd ymm0, ymm1, ymm2; ret; nop
    hidden = ".byte 0x48, 0xb8; .Linside: .byte 0xc5, 0xf5, 0xfe, 0xc2, 0xc3, 0x90, 0x90, 0x90"
    source = function("innocent", f"{hidden}; ret") + function("other", "jmp .Linside")
    assert features(use_of(compiler, tmp_path, source))["innocent"] == {"avx2"}
    assert features(use_of(compiler, tmp_path, function("innocent", f"{hidden}; ret")))["innocent"] == set()


@pytest.mark.parametrize("broken", ["06", "d6", "62ffffffffff", "0f0a", "d5 19 58 c2"])
def test_bytes_that_are_no_instruction_are_reported(broken: str) -> None:
    data = b"\x31\xc0" + bytes.fromhex(broken) + RET * 2
    use = code_use(code(data, ("f", 0, len(data))))
    (undecoded,) = use.undecoded
    assert (undecoded.name, undecoded.address) == ("f", 0x1002)


# With this prefix, the distance has 16 bits to AMD's CPUs and 32 to Intel's; with REX.W, as compilers write it, it has not.
@pytest.mark.parametrize(
    ("branch", "disputed"),
    [
        ("66e800000000", True),
        ("2e66e900000000", True),
        ("66400f8400000000", True),
        ("6648 66e800000000", True),
        ("66eb00", True),
        ("667400", True),
        ("666648e800000000", False),
        ("67e800000000", False),
        ("2e7400", False),
        ("0f8400000000", False),
        ("66480f6ec0", False),
        ("66b8e800", False),
        ("e80066e800", False),
        ("6666e800000000", True),
        ("660fe8c1", False),
    ],
)
def test_a_jump_whose_length_depends_on_who_made_the_cpu_is_reported(branch: str, disputed: bool) -> None:
    data = b"\x31\xc0" + bytes.fromhex(branch) + RET * 8
    use = code_use(code(data, ("f", 0, len(data))))
    assert [(each.address, each.size) for each in use.undecoded] == (
        [(0x1002, len(bytes.fromhex(branch)))] if disputed else []
    )


def test_an_instruction_that_is_cut_off_is_reported() -> None:
    use = code_use(code(b"\x90" * 4 + VPADDD[:3], ("f", 0, 7)))
    assert [(each.address, each.size) for each in use.undecoded] == [(0x1004, 3)]


def test_symbols_that_end_too_early_or_begin_too_late_hide_nothing() -> None:
    # The first ends within its only instruction, the second begins in the middle of another.
    use = code_use(code(VPADDD + RET, ("f", 0, 2)))
    assert set().union(*features(use).values()) == {"avx2"}
    use = code_use(code(b"\xf0" + b"\x0f\xb1\x0e" + VPADDD + RET, ("f", 0, 9), ("inner", 1, 0)))
    assert set().union(*features(use).values()) == {"avx2"}


def test_padding_of_all_kinds_is_nothing() -> None:
    nops = ["90", "6690", "0f1f00", "0f1f4000", "662e0f1f840000000000", "66662e0f1f840000000000", "cccc", "0000"]
    for nop in nops:
        data = RET + bytes.fromhex(nop) + RET
        use = code_use(code(data, ("f", 0, 1), ("g", len(data) - 1, 1)))
        assert (use.instructions, use.undecoded, len(use.functions)) == (2, (), 2), nop


def test_code_between_functions_is_decoded() -> None:
    use = code_use(code(RET + VPADDD + RET, ("f", 0, 1)))
    assert [(each.name, set(each.features)) for each in use.functions] == [("f", set()), ("0x1001", {"avx2"})]


def test_a_nested_symbol_has_its_own_part() -> None:
    data = b"\x90" + VPADDD + bytes.fromhex("c4e275a8c2") + RET
    use = code_use(code(data, ("outer", 0, len(data)), ("inner", 1, 4)))
    assert [(each.name, set(each.features)) for each in use.functions if each.features] == [
        ("inner", {"avx2"}),
        ("outer", {"fma"}),
    ]


def test_names_of_one_function_are_kept_together() -> None:
    use = code_use(code(VPADDD + RET, ("a", 0, 5), ("b", 0, 0)))
    assert [each.names for each in use.functions] == [("a", "b")]


# In faiss's library, 408 lines of a listing have "ymm" in them and no register: "asymmetric".
def test_names_are_no_registers(compiler: str, tmp_path: Path) -> None:
    use = use_of(compiler, tmp_path, function("asymmetric_zmm", "ret") + function("caller", "call asymmetric_zmm; ret"))
    assert set().union(*features(use).values()) == set()


MIXED = (
    function("plain", "mov eax, 1; ret")
    + function("mixed", f"jmp 1f; {POOL}; 1: vpaddd ymm0, ymm1, ymm2; ret")
    + function("last", "call mixed; vfmadd213ps ymm0, ymm1, ymm2; ret")
)


@pytest.mark.parametrize("how", ["strip", "strip and no unwinding", "no sections"])
def test_stripped_files_need_the_same(compiler: str, tmp_path: Path, how: str) -> None:
    source = MIXED
    if how == "strip":
        for name in ("plain", "mixed", "last"):
            source = source.replace(f"\n{name}:\n", f"\n{name}:\n.cfi_startproc\n")
            source = source.replace(f".size {name}", f".cfi_endproc\n.size {name}")
    path = assembled(compiler, tmp_path, source)
    named = needs(path)
    options = ["--strip-section-headers"] if how == "no sections" else []
    stripped = tmp_path / "stripped.so"
    if options:
        # Not every strip can do this: without its table, a file has no sections.
        data = bytearray(path.read_bytes())
        data[0x28:0x30] = bytes(8)
        data[0x3C:0x40] = bytes(4)
        stripped.write_bytes(data)
    else:
        subprocess.run(["strip", "-o", str(stripped), str(path)], check=True)
    use = needs(stripped)
    assert set().union(*features(use).values()) == set().union(*features(named).values()) == {"avx2", "fma"}
    if how == "strip":
        assert [found for _, found in without_names(use)] == [{"avx2"}, {"fma"}]
        assert all(each.name == hex(each.address) for each in use.functions if each.features)


LOADED = """
void outside(void);
__attribute__((visibility("hidden"), noinline)) void direct(float *x) { for (int i = 0; i < 64; i++) x[i] += 1; }
__attribute__((noinline)) void through_plt(float *x) { for (int i = 0; i < 64; i++) x[i] *= 2; }
void not_called(float *x) { for (int i = 0; i < 64; i++) x[i] -= 2; }
static float data[64];
__attribute__((constructor)) static void first(void) { direct(data); through_plt(data); }
static void target(void) {}
static void *resolver(void) { data[1] += 1; return target; }
void chosen(void) __attribute__((ifunc("resolver")));
"""


def test_what_runs_at_load_is_what_constructors_and_resolvers_reach(compiler: str, tmp_path: Path) -> None:
    path = compiled(compiler, tmp_path, LOADED, "-O2", "-mavx2", "-fno-inline", "-fno-ipa-icf")
    use = needs(path)
    loaded = {name: each.via for each in use.functions if each.constructor for name in each.names}
    assert {name: loaded[name] for name in ("first", "direct", "through_plt", "resolver")} == {
        "first": "", "direct": "first", "through_plt": "first", "resolver": "",
    }  # fmt: skip
    assert not {"not_called", "target"} & loaded.keys()
    found = features(use)
    assert "avx" in found["direct"] & found["through_plt"] & found["resolver"]
    assert "avx" in features(use)["not_called"]


def test_a_stub_leads_only_to_what_it_is_for(compiler: str, tmp_path: Path) -> None:
    source = LOADED.replace("through_plt(data);", "").replace("static void first", "void first")
    source += "void user(float *x) { through_plt(x); not_called(x); }"
    use = needs(compiled(compiler, tmp_path, source, "-O2", "-mavx2", "-fno-inline", "-fno-ipa-icf"))
    assert not {"through_plt", "not_called", "user"} & {each.name for each in use.functions if each.constructor}


@pytest.mark.parametrize(("source", "detects"), [("__cpu_model", True), ("__cpu_modem", False)])
def test_the_cpu_is_asked_through_another_library_too(
    compiler: str, tmp_path: Path, source: str, detects: bool
) -> None:
    # libgfortran has AVX-512 code and no CPUID: libgcc_s asks for it.
    path = compiled(compiler, tmp_path, f"extern int {source}; int f(void) {{ return {source}; }}", "-O2", "-fPIC")
    assert needs(path).detects is detects


def test_vector_code_is_counted_by_encoding_and_width(compiler: str, tmp_path: Path) -> None:
    body = (
        "addps xmm0, xmm1; vaddps xmm0, xmm1, xmm2; vaddps ymm0, ymm1, ymm2; vaddps zmm0, zmm1, zmm2; vzeroupper; ret"
    )
    use = use_of(compiler, tmp_path, function("all", body + "; vaddps ymm0{k1}, ymm1, ymm2; ret"))
    assert use.vector_widths == {("VEX", 128): 1, ("VEX", 256): 1, ("EVEX", 512): 1, ("EVEX", 256): 1}


def test_code_of_another_machine_is_refused() -> None:
    with pytest.raises(BinaryError, match="aarch64 cannot be decoded"):
        code_use(code(b"\0\0\0\0", machine="aarch64"))


def test_a_real_library_is_code_from_end_to_end(kernel_library_of_tests: Path) -> None:
    (binary,) = read_binary(kernel_library_of_tests.read_bytes())
    use = code_use(binary)
    assert use.undecoded == ()
    assert use.instructions > 100


@pytest.fixture(scope="module")
def kernel_library_of_tests(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = "#include <math.h>\n" + "\n".join(
        f"double f{n}(double *x, int n) {{ double s = {n}; switch (n & 7) {{ "
        + " ".join(f"case {c}: s += sin(x[{c}]) * {c + n}; break;" for c in range(8))
        + " } for (int i = 0; i < n; i++) s += x[i] * x[n - i]; return s; }"
        for n in range(20)
    )
    return compiled(compiler, tmp_path_factory.mktemp("real"), source, "-O3", "-lm")


@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(0, 199), st.integers(0, 64)), max_size=6))
@example(b"\xeb\xfe", [(0, 0)])
@example(b"\xff\x25\0\0\0\0", [(0, 6)])
def test_any_bytes_are_decoded_or_reported(data: bytes, symbols: list[tuple[int, int]]) -> None:
    """No bytes stop the decoder, and none of them are passed over: each is of an instruction, padding or reported."""
    inside = [(f"f{number}", low, size) for number, (low, size) in enumerate(symbols) if low < len(data)]
    constructors = tuple(0x1000 + low for _, low, _ in inside[:1])
    use = code_use(code(data, *inside, constructors=constructors))
    for each in use.undecoded:
        assert 0x1000 <= each.address < each.address + each.size <= 0x1000 + len(data)
    assert use.instructions + sum(each.size for each in use.undecoded) <= len(data) * 2
    if data.strip(b"\0\x90\xcc") and not use.instructions:
        assert use.undecoded


@given(st.binary(min_size=1, max_size=60))
@example(b"\x48\xb8")
@example(b"\x90\x48\xb8")
@example(b"\xc5\xf8\x77")
def test_whatever_lies_in_a_pool_the_code_behind_it_is_found(pool: bytes) -> None:
    data = b"\xeb" + bytes([len(pool)]) + pool + VPADDD + RET
    use = code_use(code(data, ("f", 0, len(data))))
    (f,) = [each for each in use.functions if each.name == "f"]
    assert f.features["avx2"].address <= 0x1002 + len(pool)
    assert use.instructions >= 3
