"""`variantkit audit` as a whole: what it looks at, what it says, and its exit status."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import variantkit
from audited import ENTRY, kernels, level_matrix, manifest
from native_files import compiled, for_arm
from tiny_wheels import pack, wheel
from variantkit.audit import AuditFinding, AuditResult, audit, sarif
from variantkit.audit.result import Need
from variantkit.audit.rules import RULES, markdown
from variantkit.cli import audit as command
from variantkit.cli import main, run
from variantkit.errors import UncheckedError, WheelError

FAST = """
#include <immintrin.h>
void fast(float *x) { _mm256_storeu_ps(x, _mm256_add_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(x))); }
"""
EARLY = """
#include <immintrin.h>
float table[8];
__attribute__((constructor)) static void fill(void) { _mm256_storeu_ps(table, _mm256_set1_ps(table[0])); }
"""


def cli(*arguments: str | Path) -> int:
    return run(lambda: command.main([str(each) for each in arguments], prog="audit"))


def needs_avx(compiler: str, folder: Path, source: str = FAST) -> bytes:
    return compiled(compiler, folder, source, "-mavx").read_bytes()


def test_the_page_on_the_rules_is_up_to_date(root: Path) -> None:
    assert (root / "docs" / "audit.md").read_text(encoding="utf-8") == markdown(), (
        "run: python -m tools.audit --rules > docs/audit.md"
    )


def test_each_rule_says_all_that_it_should() -> None:
    markdown()  # it registers them
    assert len(RULES) > 14
    for rule in RULES.values():
        for text in (rule.what, rule.why, rule.mend):
            assert text.endswith("."), rule
            assert "|" not in text, rule  # it goes into a table
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


def test_clean_violations_and_not_audited_are_three_statuses(
    compiler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = wheel(tmp_path, "other-1.0-py3-none-linux_x86_64.whl", {"other/lib.so": needs_avx(compiler, tmp_path)})
    assert cli(path, "--level", "x86-64-v3") == 0
    assert capsys.readouterr().out.endswith("no findings\n")
    assert cli(path, "--level", "x86-64-v2") == 1
    out = capsys.readouterr().out
    assert "VA101 error    fast needs avx, which x86-64-v2 lacks: v" in out
    assert out.endswith("1 error\n")
    path.write_bytes(path.read_bytes()[:-30])
    assert cli(path, "--level", "x86-64-v3") == 2
    assert "cannot be read as a wheel" in capsys.readouterr().out


def test_wrong_arguments_are_status_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--level", "v3"], ["--level", "armv8-a"], ["--select", "VK1"]):
        with pytest.raises(SystemExit) as caught:
            cli(*words)
        assert caught.value.code == 2
    assert cli(tmp_path / "nothing.whl") == 2
    assert "is not there. Name wheels" in capsys.readouterr().err
    for option in ("--root", "--symbols"):
        assert cli(option, tmp_path / "no", tmp_path) == 2
        assert "/no is not " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--select", ""], "argument --select: it is empty, and names no rule"),
        (["--select", " , "], "argument --select: it is empty, and names no rule"),
        ([""], "argument PATH: it is empty, and no path"),
        (["lib.so", ""], "argument PATH: it is empty, and no path"),
        (["--symbols", ""], "argument --symbols: it is empty, and no path"),
        (["--sarif", "no/such/a.sarif"], "argument --sarif: the folder no/such is not there"),
        (["--sarif", "."], "argument --sarif: . is a folder"),
    ],
)
def test_what_is_empty_is_not_all_and_no_folder_is_made(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        cli(*words)
    assert caught.value.code == 2
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["audit", "PATH", "--json"], ["audit", "--rules"], ["check", "--rules"]])
def test_output_that_cannot_be_written_is_no_violation(words: list[str], tmp_path: Path) -> None:
    path = wheel(tmp_path, "pure-1.0-py3-none-any.whl")
    command = [sys.executable, "-m", "variantkit", *(str(path) if word == "PATH" else word for word in words)]
    environ = {**os.environ, "PYTHONPATH": str(Path(variantkit.__file__).parents[1])}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environ)
    assert done.returncode == 2
    assert done.stderr == (
        "error: the output cannot be written: No space left on device. Make room for it, or send it elsewhere.\n"
    )


def test_what_else_cannot_be_written_is_not_taken_for_output() -> None:
    def fail() -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "elsewhere")

    with pytest.raises(OSError, match="elsewhere"):
        run(fail)


def test_pipes_and_devices_are_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        assert cli(path) == 2
        assert f"error: {path} is neither a regular file nor a folder. Leave it out" in capsys.readouterr().err
    dist = tmp_path / "dist"
    dist.mkdir()
    os.mkfifo(dist / "other-1.0-py3-none-any.whl")
    result = audit([dist], matrix=None)
    assert result.status == 2
    assert "other-1.0-py3-none-any.whl is neither a regular file" in result.unaudited[0]


def test_a_manifest_or_a_library_that_is_a_pipe_is_not_waited_for(compiler: str, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    lib = compiled(compiler, folder, ENTRY)
    os.mkfifo(folder / "MANIFEST")
    os.mkfifo(folder / "pipe.so")
    for path in (folder, lib):
        result = audit([path], matrix=None)
        assert (result.files, result.findings) == (1, ())


def test_without_a_level_it_says_which_one_is_needed_and_why(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = wheel(
        tmp_path, "other-1.0-py3-none-linux_x86_64.whl", {"other/lib.so": needs_avx(compiler, tmp_path, EARLY)}
    )
    monkeypatch.chdir(tmp_path)
    assert cli(path) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "other-1.0-py3-none-linux_x86_64.whl needs at least x86-64-v3, because of fill of other/lib.so, "
        "which runs while it is loaded: v"
    )
    assert cli(path, "--json") == 0
    (need,) = json.loads(capsys.readouterr().out)["needs"]
    assert (need["level"], need["symbol"], need["feature"], need["constructor"]) == ("x86-64-v3", "fill", "avx", True)
    plain = wheel(
        tmp_path,
        "plain-1.0-py3-none-linux_x86_64.whl",
        {"plain/lib.so": compiled(compiler, tmp_path, ENTRY).read_bytes()},
    )
    assert cli(plain) == 0
    assert capsys.readouterr().out.startswith("plain-1.0-py3-none-linux_x86_64.whl needs at least x86-64\n")


def test_files_are_held_against_their_rows(compiler: str, tmp_path: Path) -> None:
    fast, plain = needs_avx(compiler, tmp_path), compiled(compiler, tmp_path, ENTRY).read_bytes()
    kernel = kernels(compiler, tmp_path, "x86-64-v3")
    of = level_matrix()
    beside = {"demo/classifiers/avx2/lib.so": kernel, "demo/classifiers/avx2/MANIFEST": manifest("avx2", "lib.so")}
    tags = "cp311-cp311-linux_x86_64"

    def rules(name: str, files: dict[str, bytes]) -> set[tuple[str, str]]:
        path = wheel(tmp_path / "dist", name, files)
        return {(each.rule, each.member) for each in audit([path], matrix=of, select=["VA1"]).findings}

    # A library beside a MANIFEST is its row's, also in a wheel for everybody; what else is there is for everybody.
    assert rules(f"demo-1.0-{tags}.whl", {"demo/_binding.so": plain, **beside}) == set()
    assert rules(f"demo-1.0-{tags}.whl", {"demo/_binding.so": fast, **beside}) == {("VA101", "demo/_binding.so")}
    assert rules(f"demo-1.0-{tags}-avx2.whl", {"demo/_binding.so": fast, **beside}) == {("VA101", "demo/_binding.so")}
    assert rules("demo_avx2-1.0-py3-none-linux_x86_64.whl", {"demo_avx2/helper.so": fast}) == set()
    # A row whose library has none of its instructions is not what it says.
    mislabelled = {**beside, "demo/classifiers/avx2/lib.so": plain}
    assert rules(f"demo-1.0-{tags}.whl", mislabelled) == {("VA103", "demo/classifiers/avx2/lib.so")}
    # Wheels of other projects are none of the matrix's.
    result = audit([wheel(tmp_path / "dist", "other-1.0-py3-none-linux_x86_64.whl", {"a.so": fast})], matrix=of)
    assert result.findings == ()
    assert [each.level for each in result.needs] == ["x86-64-v3"]


def test_a_folder_of_wheels_a_package_and_a_file_are_audited(compiler: str, tmp_path: Path) -> None:
    fast = needs_avx(compiler, tmp_path)
    dist = tmp_path / "dist"
    for name in ("one", "two"):
        wheel(dist, f"{name}-1.0-py3-none-linux_x86_64.whl", {f"{name}/lib.so": fast})
    package = tmp_path / "package"
    (package / "deep").mkdir(parents=True)
    (package / "deep" / "lib.so").write_bytes(fast)
    (package / "deep" / "link.so").symlink_to("lib.so")
    (package / "__init__.py").write_text("")
    single = tmp_path / "single.so"
    single.write_bytes(fast)
    result = audit(
        [dist, package, single, dist / "one-1.0-py3-none-linux_x86_64.whl"], matrix=None, level="x86-64", select=["VA1"]
    )
    assert [each.member for each in result.findings] == [
        "one/lib.so",
        "two/lib.so",
        "deep/lib.so",
        "deep/link.so",
        "single.so",
    ]
    assert result.files == 5


def test_a_package_folder_with_a_manifest_is_held_against_its_row(compiler: str, tmp_path: Path) -> None:
    folder = tmp_path / "demo_avx2"
    folder.mkdir()
    (folder / "lib.so").write_bytes(compiled(compiler, tmp_path, ENTRY, "-fvisibility=hidden").read_bytes())
    (folder / "MANIFEST").write_bytes(manifest("avx2", "lib.so"))
    for path in (tmp_path, folder, folder / "lib.so"):
        result = audit([path], matrix=level_matrix(), select=["VA103"])
        assert {each.rule for each in result.findings} == {"VA103"}, path


def test_native_files_are_found_under_odd_names(compiler: str, tmp_path: Path) -> None:
    fast = needs_avx(compiler, tmp_path)
    files = {
        "other/model.bin": fast,
        "other/data/no_suffix": fast,
        "other-1.0.data/scripts/tool": fast,
        "other/a.py": b"x",
    }
    path = wheel(tmp_path, "other-1.0-py3-none-linux_x86_64.whl", files)
    result = audit([path], matrix=None, level="x86-64", select=["VA1"])
    assert {each.member for each in result.findings} == set(files) - {"other/a.py"}


def test_what_is_called_a_native_file_and_is_none_is_not_passed_over(tmp_path: Path) -> None:
    path = wheel(
        tmp_path, "other-1.0-py3-none-linux_x86_64.whl", {"other/lib.so.1": b"version https://", "other/a.pyd": b""}
    )
    result = audit([path], matrix=None)
    assert result.status == 2
    assert [each.split(": ")[1] for each in result.unaudited] == ["other/lib.so.1", "other/a.pyd"]
    assert all("it has the name of a native file, and is none" in each for each in result.unaudited)


def test_a_damaged_native_file_is_not_passed_over(compiler: str, tmp_path: Path) -> None:
    fast = needs_avx(compiler, tmp_path)
    files = {"other/good.so": fast, "other/bad.so": fast[: len(fast) // 3]}
    path = wheel(tmp_path, "other-1.0-py3-none-linux_x86_64.whl", files)
    result = audit([path], matrix=None, level="x86-64-v3", select=["VA1"])
    assert result.status == 2
    (why,) = result.unaudited
    assert "other/bad.so: it is " in why
    # What can be audited is; a violation is the stronger word.
    assert audit([path], matrix=None, level="x86-64", select=["VA1"]).status == 1


def test_a_wheel_with_one_damaged_entry_is_not_passed_over(compiler: str, tmp_path: Path) -> None:
    path = wheel(tmp_path, "other-1.0-py3-none-linux_x86_64.whl", {"other/lib.so": needs_avx(compiler, tmp_path)})
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("other/lib.so")
    data = bytearray(path.read_bytes())
    middle = info.header_offset + 100 + info.compress_size // 2
    data[middle : middle + 8] = bytes(8)
    path.write_bytes(data)
    result = audit([path], matrix=None, level="x86-64-v3", select=["VA1"])
    assert result.status == 2
    assert "other/lib.so: it cannot be read" in result.unaudited[0]


def test_an_entry_that_is_there_twice_is_audited_twice(compiler: str, tmp_path: Path) -> None:
    path = pack(tmp_path / "other-1.0-py3-none-linux_x86_64.whl", {"lib.so": needs_avx(compiler, tmp_path)})
    plain = compiled(compiler, tmp_path, ENTRY).read_bytes()
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("lib.so", plain)
    result = audit([path], matrix=None, level="x86-64", select=["VA101"])
    assert result.files == 2
    assert result.status == 1


def test_a_folder_without_anything_to_audit_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "a.py").write_text("")
    result = audit([tmp_path / "package"], matrix=None)
    assert result.status == 2
    assert "holds no native file" in result.unaudited[0]
    with pytest.raises(WheelError, match="neither a wheel nor a native file"):
        audit([tmp_path / "package" / "a.py"], matrix=None)
    # A wheel of pure Python has nothing that could crash.
    assert audit([wheel(tmp_path, "pure-1.0-py3-none-any.whl")], matrix=None).status == 0


def test_a_wheel_whose_name_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, "pure-1.0-py3-none-any.whl").rename(tmp_path / "odd.whl")
    with pytest.raises(WheelError, match="is not the name of a wheel"):
        audit([path], matrix=None)


def test_code_that_is_not_decoded_is_not_clean(
    compiler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "arm.so"
    path.write_bytes(for_arm(compiled(compiler, tmp_path, ENTRY).read_bytes()))
    assert cli(path, "--root", tmp_path) == 2
    assert "code for aarch64 is not decoded" in capsys.readouterr().out
    assert cli(path, "--root", tmp_path, "--allow-undecoded") == 0
    assert capsys.readouterr().out.startswith("note: ")


@pytest.mark.parametrize(("module", "name"), [("lief", "lief"), ("iced_x86", "iced-x86")])
def test_without_its_tools_nothing_is_clean(
    module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = wheel(tmp_path, "pure-1.0-py3-none-any.whl")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UncheckedError, match="Nothing can be audited without"):
        audit([path], matrix=None)
    assert main(["audit", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"error: Nothing can be audited without {name}. Install what is missing: python -m pip install 'variantkit[release]'\n"
    )


def test_json_has_all_of_a_finding(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = wheel(
        tmp_path, "other-1.0-py3-none-linux_x86_64.whl", {"other/lib.so": needs_avx(compiler, tmp_path, EARLY)}
    )
    monkeypatch.chdir(tmp_path)
    assert cli(path, "--level", "x86-64-v2", "--select", "VA1", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    (finding,) = document["findings"]
    assert finding["file"] == path.name
    assert (finding["rule"], finding["member"], finding["symbol"]) == ("VA102", "other/lib.so", "fill")
    assert (finding["feature"], finding["constructor"], finding["level"]) == ("avx", True, "error")
    assert finding["address"] > 0
    assert finding["instruction"].startswith("v")
    assert document["status"] == 1
    assert document["instructions"] > 0
    assert document["rules"] == [
        each for each in sorted(RULES) if each.startswith("VA1") and RULES[each].needs != "matrix"
    ]


def test_sarif_names_the_function_and_the_place(compiler: str, tmp_path: Path) -> None:
    path = wheel(tmp_path, "other-1.0-py3-none-linux_x86_64.whl", {"other/lib.so": needs_avx(compiler, tmp_path)})
    out = tmp_path / "audit.sarif"
    assert cli(path, "--level", "x86-64-v2", "--sarif", out, "--root", tmp_path) == 1
    (log,) = json.loads(out.read_text(encoding="utf-8"))["runs"]
    assert log["tool"]["driver"]["name"] == "variantkit audit"
    (found,) = log["results"]
    assert log["tool"]["driver"]["rules"][found["ruleIndex"]]["id"] == found["ruleId"] == "VA101"
    (place,) = found["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == path.name
    assert place["physicalLocation"]["address"]["absoluteAddress"] > 0
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "other/lib.so!fast"
    assert log["invocations"][0]["exitCode"] == 1
    empty = json.loads(sarif(audit([path], matrix=None), tmp_path))
    assert empty["runs"][0]["results"] == []


def test_names_of_a_build_are_taken_by_default(
    compiler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = "-fvisibility=hidden"
    source = FAST.replace("void fast", "static __attribute__((noinline, used)) void fast")
    whole = compiled(compiler, tmp_path, source, "-mavx", hidden)
    bare = compiled(compiler, tmp_path, source, "-mavx", hidden, "-s", name="bare.so")
    assert cli(bare, "--root", tmp_path, "--level", "x86-64") == 1
    assert " fast needs avx" not in capsys.readouterr().out
    symbols = tmp_path / "build" / "symbols"
    symbols.mkdir(parents=True)
    whole.rename(symbols / "any.so")
    assert cli(bare, "--root", tmp_path, "--level", "x86-64") == 1
    assert " fast needs avx" in capsys.readouterr().out


def test_the_page_has_all_keys_of_the_document() -> None:
    page = markdown()
    result = AuditResult(findings=(), rules=(), files=0, instructions=0, seconds=0.0)
    for head, keys in {
        "key": set(json.loads(result.json())),
        "key of a finding": {field.name for field in dataclasses.fields(AuditFinding)},
        "key of a need": {field.name for field in dataclasses.fields(Need)},
    }.items():
        table = page.partition(f"| {head} | is |\n| --- | --- |\n")[2].partition("\n\n")[0]
        named = [key for line in table.splitlines() for key in re.findall(r"`(\w+)`", line.split("|")[1])]
        assert sorted(named) == sorted(keys), head


@pytest.mark.parametrize("cause", ["a tool", "a path", "a root", "a matrix", "no folder"])
def test_programs_are_told_when_nothing_could_be_audited(
    cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[str | Path] = [tmp_path]
    if cause == "a tool":
        monkeypatch.setitem(sys.modules, "iced_x86", None)
    elif cause == "a path":
        words = [tmp_path / "nothing.whl"]
    elif cause == "a root":
        words += ["--root", tmp_path / "nothing"]
    elif cause == "a matrix":
        (tmp_path / "classifiers.toml").write_text("schema = 0")
        words += ["--root", tmp_path]
    else:
        words = ["--root", tmp_path]
    out = tmp_path / "out" / "audit.sarif"
    out.parent.mkdir()
    assert cli(*words, "--json", "--sarif", out) == 2
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["status"], document["findings"], document["rules"]) == (2, [], [])
    assert captured.err == f"error: {document['unaudited'][0]}\n"
    (log,) = json.loads(out.read_text())["runs"]
    assert log["invocations"][0]["exitCode"] == 2
    told = [each["message"]["text"] for each in log["invocations"][0]["toolExecutionNotifications"]]
    assert told == document["unaudited"]
    # People are told once.
    assert cli(*words, "--sarif", out) == 2
    assert capsys.readouterr().out == ""


def test_what_a_build_has_made_is_taken_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli("--root", tmp_path) == 2
    places = [tmp_path / "dist", tmp_path / "build" / "release" / "dist", tmp_path / "build" / "dist"]
    assert f"There are no wheels in {places[0]}, {places[1]} or {places[2]}." in capsys.readouterr().err
    for number, place in enumerate(reversed(places)):
        wheel(place, f"pure-{number}.0-py3-none-any.whl")
        (place / "bad-1.0-py3-none-any.whl").write_bytes(b"")
        assert cli("--root", tmp_path) == 2
        out = capsys.readouterr().out
        assert f"{place / 'bad-1.0-py3-none-any.whl'} cannot be read" in out
    with pytest.raises(SystemExit):
        cli("--help")
    assert "build/release/dist" in "".join(capsys.readouterr().out.split())


def test_nothing_that_comes_from_a_file_reaches_the_terminal_as_it_is(
    compiler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b[2K\rnot\nshown\x9b\u202e"
    files = {f"{evil}.so": needs_avx(compiler, tmp_path), "b.so": b"", "x/MANIFEST": manifest(evil, f"{evil}.so")}
    path = pack(tmp_path / "evil\x1b[1m" / "other-1.0-py3-none-linux_x86_64.whl", files)
    cli(path, "--level", "x86-64")
    cli(path)
    cli(tmp_path / "no\x1b[1m\nfile.whl")
    captured = capsys.readouterr()
    assert "\\x1b[2K\\rnot\\nshown\\x9b\\u202e.so" in captured.out
    assert "\\x1b[1m\\nfile.whl is not there" in captured.err
    for line in (captured.out + captured.err).split("\n"):
        assert line.isprintable(), line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_what_is_looked_at(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        wheel(tmp_path, f"{name}-1.0-py3-none-linux_x86_64.whl", {f"{name}.so": needs_avx(compiler, tmp_path)})
    cli(tmp_path)
    assert capsys.readouterr().err == ""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("COLUMNS", "300")
    cli(tmp_path)
    text = stream.getvalue()
    assert "[2/2] " in text
    assert "two-1.0-py3-none-linux_x86_64.whl: two.so" in text
    assert "\n" not in text
    assert text.endswith("\r\x1b[K")
    stream.truncate(0)
    cli(tmp_path, "--quiet")
    assert "two.so" not in stream.getvalue()
