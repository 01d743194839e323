"""The rules on machine code: what is above a label, what is below it, and what a file needs where there is none."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from machine_code import assembled, code, function
from native_files import compiled
from variantkit.audit import audit
from variantkit.audit.binary import read_binary
from variantkit.audit.ceiling import needed_level
from variantkit.audit.decode import CodeUse, code_use
from variantkit.audit.model import Audited, Image, Package
from variantkit.audit.rules import RULES, Problem
from variantkit.features import BASELINE
from variantkit.matrix import Dispatch, Matrix, Row, read_matrix

KERNEL = "void scale(float *x, float a) { for (int i = 0; i < 256; i++) x[i] = x[i] * a + 1; }"


@pytest.fixture(scope="module")
def matrix(root: Path) -> Matrix:
    return read_matrix(root)


@pytest.fixture(scope="module")
def kernels(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], CodeUse]:
    """Give what the same kernel needs, compiled for a level."""
    uses: dict[str, CodeUse] = {}

    def use(level: str) -> CodeUse:
        if level not in uses:
            folder = tmp_path_factory.mktemp(level)
            path = compiled(compiler, folder, KERNEL, "-O3", f"-march={level}", "-mprefer-vector-width=512")
            uses[level] = decoded(path)
        return uses[level]

    return use


def decoded(path: Path) -> CodeUse:
    (binary,) = read_binary(path.read_bytes())
    return code_use(binary)


def image(use: CodeUse, row: Row | None = None, level: str = "", member: str = "demo/libdemo.so") -> Image:
    return Image(
        file=Path("demo.whl"), member=member, binary=code(b"\xc3"), use=use, row=row, level=level, kernel=row is not None,
        size=1,
    )  # fmt: skip


def found(rule: str, *images: Image, matrix: Matrix | None = None) -> list[Problem]:
    package = Package(path=Path("demo.whl"), name=None, row=None, images=images)
    return list(RULES[rule].find(Audited(packages=(package,), matrix=matrix)))


def all_of(*images: Image, matrix: Matrix | None = None) -> dict[str, list[Problem]]:
    rules = {rule: found(rule, *images, matrix=matrix) for rule in sorted(RULES) if rule.startswith("VA1")}
    return {rule: problems for rule, problems in rules.items() if problems}


@pytest.mark.parametrize(("name", "level"), [("generic", "x86-64"), ("avx2", "x86-64-v3"), ("avx512", "x86-64-v4")])
def test_what_is_compiled_for_its_row_is_clean(
    matrix: Matrix, kernels: Callable[[str], CodeUse], name: str, level: str
) -> None:
    row = dataclasses.replace(matrix.row(name), dispatch=())  # there is no function here that asks the CPU
    assert all_of(image(kernels(level), row), matrix=matrix) == {}


@pytest.mark.parametrize(
    ("name", "level", "feature"), [("generic", "x86-64-v3", "avx"), ("avx2", "x86-64-v4", "avx512f")]
)
def test_code_above_its_row(
    matrix: Matrix, kernels: Callable[[str], CodeUse], name: str, level: str, feature: str
) -> None:
    (problem,) = found("VA101", image(kernels(level), matrix.row(name)))
    assert (problem.file, problem.member, problem.symbol) == (Path("demo.whl"), "demo/libdemo.so", "scale")
    assert problem.feature == feature
    assert problem.instruction.startswith("v")
    assert hex(problem.address) in problem.what
    assert f"which {name} lacks: {problem.instruction} at" in problem.what
    assert not problem.constructor


def test_code_below_its_row_is_mislabelled(matrix: Matrix, kernels: Callable[[str], CodeUse]) -> None:
    (problem,) = found("VA103", image(kernels("x86-64-v3"), matrix.row("avx512")))
    assert problem.what == "it has no EVEX code, and 'avx512' is for AVX-512"
    (problem,) = found("VA103", image(kernels("x86-64-v2"), matrix.row("avx2")))
    assert problem.what == "it has no 256 bit wide VEX code, and 'avx2' is for AVX2"
    # The extension module beside a kernel library need not have any.
    beside = dataclasses.replace(image(kernels("x86-64"), matrix.row("avx2")), kernel=False)
    assert found("VA103", beside) == []


CONSTRUCTORS = function("_GLOBAL__sub_I_constants", "vpbroadcastq ymm0, xmm0; call late; ret") + function(
    "late", "vfmadd213ps ymm0, ymm1, ymm2; ret"
)
CONSTRUCTORS += function("kernel", "vpaddd ymm0, ymm1, ymm2; ret")
CONSTRUCTORS += '.section .init_array,"aw"\n.quad _GLOBAL__sub_I_constants\n'


@pytest.fixture(scope="module")
def with_constructors(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> CodeUse:
    return decoded(assembled(compiler, tmp_path_factory.mktemp("constructors"), CONSTRUCTORS))


def test_constructors_are_a_rule_of_their_own(matrix: Matrix, with_constructors: CodeUse) -> None:
    # faiss#5296: two constants in a header, whose constructors were AVX2 code; import was the end of the process.
    generic = image(with_constructors, matrix.row("generic"))
    assert [(each.symbol, each.constructor) for each in found("VA101", generic)] == [("kernel", False)]
    first, second = found("VA102", generic)
    assert (first.symbol, first.feature, first.constructor) == ("_GLOBAL__sub_I_constants", "avx2", True)
    assert (second.symbol, second.feature, second.constructor) == ("late", "fma", True)
    assert "late, called by _GLOBAL__sub_I_constants while the library is loaded, needs fma" in second.what


def dispatching(row: Row, *tables: tuple[str, tuple[str, ...], tuple[str, ...]]) -> Row:
    made = tuple(
        Dispatch(library=library, symbols=symbols, features=features, reason="it asks CPUID")
        for library, symbols, features in tables
    )
    return dataclasses.replace(row, dispatch=made)


def test_code_that_asks_the_cpu_may_need_more_up_to_its_ceiling(matrix: Matrix, compiler: str, tmp_path: Path) -> None:
    source = (
        function("gemm_haswell", "vpaddd ymm0, ymm1, ymm2; ret")
        + function("gemm_skylakex", "vaddps zmm0, zmm1, zmm2; ret")
        + function("gemm", "vpaddd ymm0, ymm1, ymm2; ret")
    )
    use = decoded(assembled(compiler, tmp_path, source))
    row = dispatching(matrix.row("generic"), ("libblas*.so*", ("*_haswell", "*_skylakex"), ("avx2", "fma")))
    library = image(use, row, member="demo.libs/libblas-0123abcd.so.3")
    # AVX2 is allowed where the table says so, AVX-512 is not, and neither in the function that chooses.
    assert sorted((each.symbol, each.feature) for each in found("VA101", library)) == [
        ("gemm", "avx2"),
        ("gemm_skylakex", "avx512f"),
    ]
    # It is allowed in this library only.
    assert len(found("VA101", image(use, row, member="demo/libother.so"))) == 3


def test_no_table_excuses_a_constructor_but_it_does_what_that_one_may_choose(
    matrix: Matrix, with_constructors: CodeUse
) -> None:
    row = dispatching(matrix.row("generic"), ("*", ("*",), ("avx2", "fma")))
    library = image(with_constructors, row)
    assert found("VA101", library) == []
    assert [each.symbol for each in found("VA102", library)] == ["_GLOBAL__sub_I_constants"]


def test_tables_that_are_for_nothing_are_stale(matrix: Matrix, compiler: str, tmp_path: Path) -> None:
    source = function("gemm_haswell", "vpaddd ymm0, ymm1, ymm2; ret") + function("gemm_sse", "addps xmm0, xmm1; ret")
    use = decoded(assembled(compiler, tmp_path, source))
    row = dispatching(
        matrix.row("generic"),
        ("libblas*", ("*_haswell",), ("avx2",)),
        ("libblas*", ("*_skylakex", "*_sse"), ("avx512f",)),
        ("libmkl*", ("*",), ("avx2",)),
    )
    changed = dataclasses.replace(matrix, classifier=(row, *matrix.classifier[1:]))
    problems = found("VA104", image(use, row, member="demo.libs/libblas.so"), matrix=changed)
    assert [each.what for each in problems] == [
        "'generic' allows more to *_skylakex in libblas*, and no such function needs it",
        "'generic' allows more to *_sse in libblas*, and no such function needs it",
        "'generic' has a dispatch of libmkl*, and no such library is there",
    ]
    # Where nothing of the row is audited, nothing can be said of its tables.
    assert found("VA104", matrix=changed) == []
    assert RULES["VA104"].level == "warning"


def test_unknown_instructions_and_undecoded_bytes_are_never_passed_over(compiler: str, tmp_path: Path) -> None:
    source = function("kernel", "wrmsr; ret") + function("broken", ".byte 0x06, 0x07; ret")
    use = decoded(assembled(compiler, tmp_path, source))
    for level in ("x86-64-v4", ""):
        (unknown,) = found("VA105", image(use, level=level))
        assert unknown.what == "kernel has wrmsr, of MSR"
        (undecoded,) = found("VA106", image(use, level=level))
        assert "3 bytes in 1 place are no code that can be read, the first in broken at 0x" in undecoded.what
        assert undecoded.unaudited
    assert found("VA101", image(use, level="x86-64")) == []


def test_code_that_cannot_be_read_is_not_audited(compiler: str, tmp_path: Path) -> None:
    path = assembled(compiler, tmp_path, function("broken", ".byte 0x06, 0x07; ret"))
    for level in ("x86-64", ""):
        result = audit([path], matrix=None, level=level)
        assert result.status == 2
        (why,) = result.unaudited
        assert "library.so: 3 bytes in 1 place are no code that can be read, the first in broken at 0x" in why
        assert "Give data a symbol with a type" in why
        assert [(each.rule, each.level, each.symbol) for each in result.findings] == [("VA106", "warning", "broken")]
    # A violation is the stronger word.
    path = assembled(compiler, tmp_path, function("broken", ".byte 0x06; ret") + function("f", "vzeroupper; ret"))
    assert audit([path], matrix=None, level="x86-64").status == 1


def many(number: int, body: str = "vzeroupper; ret") -> str:
    return "".join(function(f"f{each}", body) for each in range(number))


def test_of_many_functions_the_first_are_told_and_the_others_counted(compiler: str, tmp_path: Path) -> None:
    source = many(130) + function("wide", "vzeroupper; vaddps zmm0, zmm1, zmm2; ret")
    result = audit([assembled(compiler, tmp_path, source)], matrix=None, level="x86-64-v2")
    assert len(result.findings) == 131  # programs get all of them
    lines = [line.strip() for line in result.text().splitlines()]
    mend = RULES["VA101"].mend
    assert [line for line in lines if line.startswith("VA101")] == [
        f"VA101 error    f{each} needs avx, which x86-64-v2 lacks: vzeroupper at {result.findings[each].address:#x}."
        for each in range(5)
    ]
    assert "and 126 more functions; in all, avx in 131, avx512f in 1." in lines
    assert lines.count(mend) == 1
    assert not any("It asks the CPU" in line for line in lines)


def test_of_a_file_that_asks_the_cpu_it_is_said_that_it_may_choose(compiler: str, tmp_path: Path) -> None:
    source = many(2) + function("detect", "push rbx; xor eax, eax; cpuid; pop rbx; ret")
    text = audit([assembled(compiler, tmp_path, source)], matrix=None, level="x86-64").text()
    assert text.count("It asks the CPU what it has; these may be functions that it chooses among then") == 1


def test_constructors_are_told_first_and_all_of_them(compiler: str, tmp_path: Path) -> None:
    source = many(20) + '.section .init_array, "aw"\n' + "".join(f".quad f{each}\n" for each in range(2, 20))
    text = audit([assembled(compiler, tmp_path, source)], matrix=None, level="x86-64").text()
    rules = [line.split()[0] for line in text.splitlines() if line.startswith("  VA1")]
    assert rules == ["VA102"] * 18 + ["VA101"] * 2


@pytest.mark.parametrize("level", ["x86-64", "x86-64-v3", "x86-64-v4"])
def test_the_level_that_a_file_needs_and_because_of_what(kernels: Callable[[str], CodeUse], level: str) -> None:
    need = needed_level(image(kernels(level)))
    assert (need.level, need.whole, need.beyond) == (level, level, ())
    if level == "x86-64":
        assert (need.symbol, need.instruction) == ("", "")
    else:
        assert need.symbol == "scale"
        assert need.instruction.startswith("v")
        assert need.feature not in BASELINE["x86_64"]


@pytest.mark.parametrize(
    ("instruction", "level", "feature"),
    [
        ("lahf", "x86-64-v2", "lahf_lm"),
        ("popcnt eax, edx", "x86-64-v2", "popcnt"),
        ("lzcnt eax, edx", "x86-64-v3", "abm"),
        ("vaddps xmm0, xmm1, xmm2", "x86-64-v3", "avx"),
        ("vaddps ymm0{k1}, ymm1, ymm2", "x86-64-v4", "avx512vl"),
    ],
)
def test_the_level_of_one_instruction(
    compiler: str, tmp_path: Path, instruction: str, level: str, feature: str
) -> None:
    need = needed_level(image(decoded(assembled(compiler, tmp_path, function("f", f"{instruction}; ret")))))
    assert (need.level, need.instruction) == (level, instruction)
    assert need.feature in {feature, "avx512f"}


def test_features_beyond_all_levels_are_named(compiler: str, tmp_path: Path) -> None:
    source = function("f", "vpdpbusd zmm0, zmm1, zmm2; rdtscp; vfmaddps xmm0, xmm1, xmm2, xmm3; ret")
    need = needed_level(image(decoded(assembled(compiler, tmp_path, source))))
    assert need.beyond == ("avx512_vnni", "fma4", "rdtscp")


def test_of_a_file_that_asks_the_cpu_only_its_constructors_are_certain(compiler: str, tmp_path: Path) -> None:
    asks = function("detect", "push rbx; xor eax, eax; cpuid; pop rbx; ret")
    more = function("kernel512", "vaddps zmm0, zmm1, zmm2; ret")
    need = needed_level(image(decoded(assembled(compiler, tmp_path, CONSTRUCTORS + ".text\n" + asks + more))))
    assert (need.level, need.whole, need.constructor) == ("x86-64-v3", "x86-64-v4", True)
    assert (need.symbol, need.feature) == ("_GLOBAL__sub_I_constants", "avx2")
    clean = needed_level(image(decoded(assembled(compiler, tmp_path, asks + more))))
    assert (clean.level, clean.whole, clean.symbol) == ("x86-64", "x86-64-v4", "")


def test_of_a_file_that_asks_the_cpu_it_is_told_what_is_sure_and_what_it_may_choose(
    compiler: str, tmp_path: Path
) -> None:
    asks = function("detect", "push rbx; xor eax, eax; cpuid; pop rbx; ret")
    more = function("kernel512", "vaddps zmm0, zmm1, zmm2; ret")
    path = assembled(compiler, tmp_path, CONSTRUCTORS + ".text\n" + asks + more)
    result = audit([path], matrix=None)
    told = result.text().splitlines()
    assert told[0].endswith(
        "library.so needs at least x86-64-v3 while it is loaded, and up to x86-64-v4 in code that it may choose (it asks the "
        "CPU somewhere; if before each function, cannot be seen)"
    )
    assert told[1].startswith(
        "  It needs x86-64-v3, because of _GLOBAL__sub_I_constants, which runs while it is loaded: v"
    )
    (need,) = json.loads(result.json())["needs"]
    assert (need["level"], need["whole"], need["asks_cpu"], need["unfollowed"]) == ("x86-64-v3", "x86-64-v4", True, [])
    path = assembled(compiler, tmp_path, asks + more)
    assert (
        "needs at least x86-64 while it is loaded, and up to x86-64-v4 in code that"
        in audit([path], matrix=None).text()
    )
    # Without a question, all of it is needed.
    path = assembled(compiler, tmp_path, more)
    assert "needs at least x86-64-v4, because of kernel512: v" in audit([path], matrix=None).text()


def test_tzcnt_below_bmi1_is_a_note_and_no_violation(compiler: str, tmp_path: Path) -> None:
    path = assembled(compiler, tmp_path, function("f", "tzcnt eax, edi; ret") + function("g", "tzcnt rax, rdi; ret"))
    result = audit([path], matrix=None, level="x86-64")
    (note,) = result.notes
    assert note.startswith(f"{path}: 2 TZCNT are run as BSF by CPUs without BMI1")
    assert (result.status, json.loads(result.json())["notes"]) == (0, [note])
    assert f"note: {note}" in result.text()
    assert audit([path], matrix=None, level="x86-64-v3").notes == ()
    path = assembled(compiler, tmp_path, function("f", "tzcnt eax, edi; cmovc eax, esi; ret"))
    result = audit([path], matrix=None, level="x86-64")
    assert (result.notes, [each.feature for each in result.findings]) == ((), ["bmi1"])


@pytest.mark.parametrize(
    ("body", "follows"),
    [
        ("call [rdi]; ret", False),
        ("mov rax, [rdi+8]; call rax; ret", False),
        ("call rdx; ret", False),
        ("mov rax, [rdi]; jmp [rax+16]", False),
        ("mov rax, [rdi]; jmp rax", False),
        ("call detect; ret", True),
        ("lea rax, [rip+detect]; call rax; ret", False),
        ("call [rip+slot]; ret", False),
        ("mov rax, [rip+slot]; test rax, rax; je 1f; jmp rax; 1: ret", False),
        # What the loader puts there is of another library, as __gmon_start__ is; and these are the cases of a switch.
        ("mov rax, [rip+there@GOTPCREL]; test rax, rax; je 1f; call rax; 1: ret", True),
        ("call [rip+there@GOTPCREL]; ret", True),
        ("call there@PLT; ret", True),
        ("lea rdx, [rip+slot]; movsxd rax, dword ptr [rdx+rdi*4]; add rax, rdx; jmp rax", True),
        ("lea rdx, [rip+slot]; jmp [rdx+rdi*8]", True),
    ],
)
def test_a_constructor_that_calls_through_pointers_is_named(
    compiler: str, tmp_path: Path, body: str, follows: bool
) -> None:
    source = function("detect", "push rbx; xor eax, eax; cpuid; pop rbx; ret") + function("start", body)
    source += function("other", "call [rdi]; ret")
    source += '.section .init_array, "aw"\n.quad start\n.bss\nslot: .zero 64\n'
    result = audit([assembled(compiler, tmp_path, source)], matrix=None)
    (need,) = result.needs
    assert need.unfollowed == (() if follows else ("start",))
    words = "A constructor calls through pointers, which are not followed: what it calls may need more (start)"
    assert (words in result.text()) is not follows


def test_from_a_file_to_a_result(compiler: str, tmp_path: Path) -> None:
    path = assembled(compiler, tmp_path, CONSTRUCTORS)
    result = audit([path], matrix=None, level="x86-64-v2")
    assert result.status == 1
    assert {(each.rule, each.symbol) for each in result.findings if each.rule < "VA2"} == {
        ("VA101", "kernel"),
        ("VA102", "_GLOBAL__sub_I_constants"),
        ("VA102", "late"),
    }
    assert audit([path], matrix=None, level="x86-64-v3").status == 0
    result = audit([path], matrix=None)
    (need,) = result.needs
    assert (need.level, need.symbol, need.constructor) == ("x86-64-v3", "_GLOBAL__sub_I_constants", True)
    assert "because of _GLOBAL__sub_I_constants" in result.text()
