"""Rules on what native files say of themselves, and on the wheels around them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from audited import ENTRY, kernels, level_matrix, manifest
from native_files import compiled, for_arm, macho, pe
from tiny_wheels import wheel
from variantkit.audit import AuditResult, audit
from variantkit.audit.wheel_rules import _violations
from variantkit.matrix import Matrix

# What the compiler's own start-up files need, and nothing of what is tested.
NAME = "demo_avx2-1.0-py3-none-manylinux_2_17_x86_64.whl"

Look = Callable[..., AuditResult]


def rules(result: AuditResult) -> set[str]:
    return {each.rule for each in result.findings}


@pytest.fixture
def look(compiler: str, tmp_path: Path) -> Look:
    """Audit the wheel of avx2 with a library compiled from `source`."""

    def run(
        source: str = ENTRY,
        *options: str,
        note: str | None = None,
        of: Matrix | None = None,
        name: str = NAME,
        files: Mapping[str, bytes] | None = None,
        select: tuple[str, ...] = ("VA2",),
    ) -> AuditResult:
        library = kernels(compiler, tmp_path, "x86-64-v3", source, *options, note=note)
        contents = {
            "demo_avx2/libdemo_avx2.so": library,
            "demo_avx2/MANIFEST": manifest("avx2", "libdemo_avx2.so"),
            **(files or {}),
        }
        path = wheel(tmp_path / "dist", name, contents)
        return audit([path], matrix=of or level_matrix(), select=select)

    return run


def test_a_right_library_has_no_findings(look: Look) -> None:
    result = look(select=("VA1", "VA2", "VA303", "VA304", "VA305"))
    assert result.findings == ()
    assert result.unaudited == ()
    assert result.status == 0
    assert result.files == 1
    assert result.instructions > 10


def test_a_second_export_is_found(look: Look) -> None:
    result = look(ENTRY + '__attribute__((visibility("default"))) int more(void) { return 1; }\n')
    (finding,) = result.findings
    assert finding.rule == "VA201"
    assert finding.message.startswith("it exports more. ")
    assert finding.member == "demo_avx2/libdemo_avx2.so"
    assert result.status == 1


def test_a_missing_entry_point_is_found(look: Look) -> None:
    result = look(ENTRY.replace("demo_open", "other_open"))
    messages = [each.message for each in result.findings]
    assert any(each.startswith("it exports other_open") for each in messages)
    assert any(each.startswith("it does not export demo_open") for each in messages)


def test_exports_of_other_files_are_nobodys_business(compiler: str, tmp_path: Path) -> None:
    many = "".join(f"int f{index}(void) {{ return {index}; }}\n" for index in range(20))
    binding = compiled(compiler, tmp_path, many).read_bytes()
    path = wheel(tmp_path / "dist", "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", {"demo/_binding.so": binding})
    assert audit([path], matrix=level_matrix(), select=["VA2"]).findings == ()


def test_a_library_that_is_not_allowed_is_found(look: Look) -> None:
    allowed = level_matrix(needed=("libc.so.*",))
    options = ("-Wl,--no-as-needed", "-lm")
    (finding,) = look(ENTRY, *options, of=allowed).findings
    assert finding.rule == "VA202"
    assert "it needs libm.so.6, which 'avx2' does not allow" in finding.message
    assert look(ENTRY, *options, of=level_matrix(needed=("libc.so.*", "libm.so.6"))).findings == ()


@pytest.mark.parametrize("way", ["-f,libm.so.6", "-F,libm.so.6"])
def test_a_library_that_is_loaded_in_another_way_is_needed_too(way: str, look: Look) -> None:
    (finding,) = look(ENTRY, f"-Wl,{way}", of=level_matrix(needed=("libc.so.*",))).findings
    assert finding.rule == "VA202"
    assert "it needs libm.so.6, which 'avx2' does not allow" in finding.message


@pytest.mark.parametrize("way", ["--audit=libspy.so", "--depaudit=libspy.so"])
def test_a_library_that_watches_the_loader_is_wrong_in_any_file(way: str, compiler: str, tmp_path: Path) -> None:
    path = compiled(compiler, tmp_path, ENTRY, f"-Wl,{way}")
    (finding,) = audit([path], matrix=None, level="x86-64", select=["VA2"]).findings
    assert finding.rule == "VA207"
    assert finding.message.startswith("it has libspy.so watch the loader. ")


def test_the_isa_note_is_that_of_the_row(look: Look) -> None:
    (finding,) = look(note="").findings
    assert finding.rule == "VA203"
    assert finding.message.startswith('it has no ISA note, and it is for x86-64-v3. Put "-Wl,-z,x86-64-v3" into')
    assert "its note says x86-64-v2, and it is for x86-64-v3" in look(note="x86-64-v2").text()
    assert "its note says x86-64-v4, and it is for x86-64-v3" in look(note="x86-64-v4").text()


def test_a_file_for_every_machine_has_no_note_of_a_level(compiler: str, tmp_path: Path) -> None:
    library = compiled(compiler, tmp_path, ENTRY, "-Wl,-z,x86-64-v2").read_bytes()
    path = wheel(tmp_path / "dist", "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", {"demo/_binding.so": library})
    (finding,) = audit([path], matrix=level_matrix(), select=["VA203"]).findings
    assert "its note says x86-64-v2, and it has to run on x86-64" in finding.message
    assert audit([path], matrix=None, level="x86-64-v2", select=["VA203"]).findings == ()
    assert audit([path], matrix=None, level="x86-64", select=["VA203"]).status == 1


def test_an_executable_stack_is_found(look: Look) -> None:
    assert rules(look(ENTRY, "-Wl,-z,execstack")) == {"VA204"}


@pytest.mark.parametrize(
    ("path", "fine"),
    [
        ("$ORIGIN/../demo.libs", True),
        ("${ORIGIN}", True),
        ("$ORIGIN/../../elsewhere", False),
        ("/opt/build/lib", False),
        ("relative", False),
        ("$ORIGINAL", False),
        ("$ORIGIN:/opt/lib", False),
    ],
)
def test_a_search_path_stays_in_what_is_installed(path: str, fine: bool, look: Look) -> None:
    assert rules(look(ENTRY, f"-Wl,-rpath,{path}")) == (set() if fine else {"VA205"})


def test_arm_is_looked_at_by_its_note_and_told_as_not_decoded(compiler: str, tmp_path: Path) -> None:
    library = for_arm(compiled(compiler, tmp_path, ENTRY, "-fvisibility=hidden").read_bytes())
    made = level_matrix()
    row = dataclasses.replace(made.row("avx2"), level="armv8-a", features=("asimd", "bti", "fp", "paca"))
    of = dataclasses.replace(made, classifier=(made.base, row))
    files = {"demo_avx2/lib.so": library, "demo_avx2/MANIFEST": manifest("avx2", "lib.so")}
    path = wheel(tmp_path / "dist", NAME.replace("x86_64", "aarch64"), files)
    result = audit([path], matrix=of, select=["VA2"])
    assert [each.rule for each in result.findings] == ["VA203", "VA203"]
    assert "it has no bti in its property note" in result.text()
    (why,) = result.unaudited
    assert "code for aarch64 is not decoded" in why
    clean = dataclasses.replace(made, classifier=(made.base, dataclasses.replace(row, features=("asimd", "fp"))))
    assert audit([path], matrix=clean, select=["VA2"]).status == 2
    allowed = audit([path], matrix=clean, select=["VA2"], allow_undecoded=True)
    assert allowed.status == 0
    assert any("code for aarch64 is not decoded" in each for each in allowed.notes)


def test_the_size_of_a_wheel_is_held_against_its_row(look: Look) -> None:
    large = {"demo_avx2/data": bytes(range(256)) * 4096}
    assert look(files=large, of=level_matrix(size_budget_kib=2), select=("VA303",)).status == 1
    assert look(files=large, of=level_matrix(size_budget_kib=2000), select=("VA303",)).status == 0


def test_a_wheel_with_a_label_has_two_budgets(look: Look) -> None:
    name = "demo-1.0-py3-none-manylinux_2_17_x86_64-avx2.whl"
    path = look(name=name, select=("VA303",))
    assert path.status == 0
    (finding,) = look(name=name, of=level_matrix(size_budget_kib=1), select=("VA303",)).findings
    assert "the budget of generic and avx2 is 2 KiB" in finding.message


def test_a_file_for_another_system_is_a_warning(look: Look) -> None:
    result = look(files={"demo_avx2/other.dll": pe(), "demo_avx2/other.dylib": macho()}, select=("VA304",))
    assert [each.member for each in result.findings] == ["demo_avx2/other.dll", "demo_avx2/other.dylib"]
    assert {each.level for each in result.findings} == {"warning"}
    assert result.status == 0
    assert look(name="demo_avx2-1.0-py3-none-any.whl", select=("VA304",)).findings[0].member.endswith(".so")


def test_a_file_that_two_wheels_share_is_found(compiler: str, tmp_path: Path) -> None:
    library = kernels(compiler, tmp_path, "x86-64-v3")
    files = {"demo_shared/lib.so": library}
    one = wheel(tmp_path / "dist", NAME, files)
    two = wheel(tmp_path / "dist", NAME.replace("avx2", "avx512"), files)
    (finding,) = audit([one, two], matrix=level_matrix(), select=["VA305"]).findings
    assert "it installs demo_shared/lib.so, and so does" in finding.message


def test_a_wheel_that_needs_a_newer_libc_than_it_says_is_found(compiler: str, tmp_path: Path) -> None:
    # Of glibc 2.34 and later, these symbols are new ones.
    source = "#include <pthread.h>\nint demo_open(void) { pthread_t t; return pthread_create(&t, 0, 0, 0); }\n"
    library = compiled(compiler, tmp_path, source, "-pthread").read_bytes()
    name = "other-1.0-py3-none-manylinux_2_17_x86_64.whl"
    path = wheel(tmp_path / "dist", name, {"other/lib.so": library})
    (finding,) = audit([path], matrix=None, level="x86-64", select=["VA301"]).findings
    assert finding.message.startswith("it is tagged manylinux_2_17_x86_64, and fits manylinux_2_3")
    assert "libc.so.6 GLIBC_2.34" in finding.message
    right = wheel(tmp_path / "dist", name.replace("2_17", "2_35"), {"other/lib.so": library})
    result = audit([right], matrix=None, level="x86-64", select=["VA301"])
    assert (result.findings, result.unaudited) == ((), ())


def test_a_tag_that_auditwheel_does_not_know_is_not_passed_over(compiler: str, tmp_path: Path) -> None:
    library = compiled(compiler, tmp_path, ENTRY).read_bytes()
    path = wheel(tmp_path / "dist", "other-1.0-py3-none-manylinux_2_99_x86_64.whl", {"other/lib.so": library})
    result = audit([path], matrix=None, level="x86-64", select=["VA301"])
    assert result.status == 2
    assert "auditwheel does not know manylinux_2_99_x86_64" in result.unaudited[0]


def test_an_extension_that_is_not_of_the_stable_abi_is_found(compiler: str, tmp_path: Path) -> None:
    source = "void *PyInit_demo(void) { return 0; }\nint _PyObject_NextNotImplemented(void);\n"
    source += "int use(void) { return _PyObject_NextNotImplemented(); }\n"
    library = compiled(compiler, tmp_path, source).read_bytes()
    name = "other-1.0-cp310-abi3-manylinux_2_17_x86_64.whl"
    path = wheel(tmp_path / "dist", name, {"other/demo.abi3.so": library})
    (finding,) = audit([path], matrix=None, level="x86-64", select=["VA302"]).findings
    assert finding.member == "demo.abi3.so"
    assert "_PyObject_NextNotImplemented" in finding.message


def test_an_extension_with_a_newer_stable_abi_than_its_tag_is_found(compiler: str, tmp_path: Path) -> None:
    source = "void *PyInit_demo(void) { return 0; }\nint PyType_GetModuleByDef(void);\n"
    source += "int PyBuffer_Release(void *);\nint use(void) { return PyBuffer_Release(0); }\n"
    library = compiled(compiler, tmp_path, source).read_bytes()
    files = {"other/demo.abi3.so": library}
    old = wheel(tmp_path / "dist", "other-1.0-cp310-abi3-manylinux_2_17_x86_64.whl", files)
    (finding,) = audit([old], matrix=None, level="x86-64", select=["VA302"]).findings
    assert "it uses the stable ABI of 3.11, and is tagged 3.10: PyBuffer_Release" in finding.message
    new = wheel(tmp_path / "dist", "other-1.0-cp311-abi3-manylinux_2_17_x86_64.whl", files)
    result = audit([new], matrix=None, level="x86-64", select=["VA302"])
    assert (result.findings, result.unaudited) == ((), ())


def test_a_report_of_abi3audit_without_a_module_has_no_problems(tmp_path: Path) -> None:
    assert list(_violations(tmp_path, {"specs": {}})) == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("auditwheel", "other-1.0-py3-none-manylinux_2_17_x86_64.whl"),
        ("abi3audit", "other-1.0-cp310-abi3-linux_x86_64.whl"),
    ],
)
def test_a_missing_tool_is_never_passed_over(
    module: str, name: str, compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wheel(tmp_path / "dist", name, {"other/lib.so": compiled(compiler, tmp_path, ENTRY).read_bytes()})
    monkeypatch.setitem(sys.modules, module, None)
    result = audit([path], matrix=None, level="x86-64", select=["VA3"])
    assert result.status == 2
    assert any(
        f"{module} is not installed" in each and each.endswith("python -m pip install 'variantkit[release]'")
        for each in result.unaudited
    )


def test_names_come_from_unstripped_builds(compiler: str, tmp_path: Path) -> None:
    source = "#include <immintrin.h>\n__attribute__((noinline, used)) static void fast(float *x)\n"
    source += "{ _mm256_storeu_ps(x, _mm256_add_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(x))); }\n" + ENTRY
    whole = compiled(compiler, tmp_path, source, "-mavx", "-fvisibility=hidden")
    bare = tmp_path / "bare.so"
    subprocess.run(["strip", "-o", str(bare), str(whole)], check=True)
    nameless = audit([bare], matrix=None, level="x86-64", select=["VA101"])
    named = audit([bare], matrix=None, level="x86-64", select=["VA101"], symbols=tmp_path)
    assert {each.symbol for each in named.findings} == {"fast"}
    assert {each.address for each in named.findings} == {each.address for each in nameless.findings}
    assert all(each.symbol.startswith("0x") for each in nameless.findings)
