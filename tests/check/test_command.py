"""`variantkit check` as a whole: what it says, in which form, and its exit status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from check_release import Release, rewrite, rules
from variantkit.check import Finding, Result, check, sarif
from variantkit.check.registry import RULES, chosen, markdown
from variantkit.cli import check as command
from variantkit.cli import run
from variantkit.errors import WheelError


def cli(release: Release, *arguments: str) -> int:
    words = ["--root", str(release.root), *arguments]
    return run(lambda: command.main([str(release.dist), *words], prog="check"))


def test_a_right_release_has_no_findings(release: Release) -> None:
    result = release.check()
    assert result.findings == ()
    assert result
    assert result.status == 0
    assert result.files == 13
    assert result.rules_run == len(result.rules)
    assert result.text() == f"13 files, {result.rules_run} rules: no findings"


def test_every_rule_that_can_run_in_a_folder_is_run(release: Release) -> None:
    run = set(release.check(ignore=()).rules)
    assert run == {rule.id for rule in RULES.values() if rule.needs not in {"index", "against"}}


def test_the_page_on_the_rules_is_up_to_date(root: Path) -> None:
    assert (root / "docs" / "checks.md").read_text(encoding="utf-8") == markdown(), (
        "run: python -m tools.check --rules > docs/checks.md"
    )


def test_each_rule_says_all_that_it_should() -> None:
    assert len(RULES) > 35
    for rule in RULES.values():
        for text in (rule.what, rule.why, rule.mend):
            assert text.endswith("."), rule
        assert "|" not in rule.what + rule.why + rule.mend, rule  # it goes into a table
    names = [rule.name for rule in RULES.values()]
    assert len(set(names)) == len(names)


def test_rules_are_chosen_by_how_they_begin() -> None:
    assert [rule.id for rule in chosen(["VK10"], ["VK101", "VK102"])] == [f"VK10{digit}" for digit in range(3, 8)]
    assert len(list(chosen([], []))) == len(RULES)


def test_without_a_matrix_its_rules_are_left_out_and_that_is_said(release: Release) -> None:
    result = release.check(matrix=None)
    assert result
    assert not {"VK303", "VK402", "VK403", "VK404"} & set(result.rules)
    (note,) = result.notes
    assert note.startswith("VK106, VK107, VK303, VK402, VK403, VK404 were left out: there is no classifiers.toml")
    assert note in result.text()


def test_a_matrix_of_another_project_is_said(release: Release) -> None:
    helper = release.dist / "helper-0.5-py3-none-any.whl"
    result = release.check(helper)
    assert result
    assert "nothing of saxpy is among the files" in result.notes[0]


def test_a_warning_is_shown_and_fails_only_when_asked(release: Release) -> None:
    name = release.classifier.name.replace("manylinux_2_17", "linux")
    tags = {"py3-none-manylinux_2_17": "py3-none-linux"}

    def change(files: dict[str, bytes]) -> None:
        key = next(each for each in files if each.endswith("/WHEEL"))
        for old, new in tags.items():
            files[key] = files[key].replace(old.encode(), new.encode())

    rewrite(release.classifier, change, name)
    result = release.check()
    assert rules(result) == {"VK405"}
    assert result
    assert result.findings[0].level == "warning"
    assert result.text().endswith("rules: 1 warning")
    strict = release.check(strict=True)
    assert not strict
    assert strict.status == 1


def test_text_is_grouped_by_file_and_counted(release: Release) -> None:
    release.base.write_bytes(b"no zip")
    release.classifier.write_bytes(b"no zip")
    text = release.check(release.base, release.classifier, matrix=None).text()
    lines = text.splitlines()
    assert lines[0].endswith("saxpy-1.2.3-cp311-cp311-manylinux_2_17_x86_64.whl")
    assert lines[1] == (
        "  VK201 error    it cannot be read as a wheel: File is not a zip file. Build it again, or leave it out."
    )
    assert lines[2] == ""
    assert lines[-1].startswith("2 files, ")
    assert lines[-1].endswith(" rules: 2 errors")


def test_exit_status_and_json(
    release: Release, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(release.dist.parent)
    assert cli(release, "--ignore", "VK6") == 0
    assert capsys.readouterr().out.endswith("rules: no findings\n")
    release.classifier.unlink()
    assert cli(release, "--ignore", "VK6", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["files"] == 12
    assert {finding["rule"] for finding in document["findings"]} == {"VK303", "VK305"}
    assert all(finding["level"] == "error" for finding in document["findings"])
    assert document["findings"][0]["file"].startswith("dist/saxpy-")
    assert document["unchecked"] == []


def test_only_the_chosen_rules_are_run(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    release.classifier.unlink()
    assert cli(release, "--select", "VK1,VK2") == 0
    assert cli(release, "--select", "VK3", "--ignore", "VK303,VK305") == 0
    assert cli(release, "--select", "VK30") == 1
    capsys.readouterr()


def test_an_unknown_rule_is_refused(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli(release, "--select", "VK999")
    assert stopped.value.code == 2
    assert "there is no rule VK999; --rules prints them" in capsys.readouterr().err


def test_rules_that_cannot_be_run_are_not_passed_over(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(release, "--select", "VK801") == 2
    assert "not checked: None of these rules can be run on these files." in capsys.readouterr().out


def test_the_table_of_rules_is_printed(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(release, "--rules") == 0
    assert capsys.readouterr().out == markdown()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing", None, "is not there"),
        ("empty", "folder", "There are no wheels in"),
        ("notes.txt", "text", "is neither a wheel, an sdist nor a -variants.json"),
    ],
)
def test_nothing_to_check_is_an_error(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    with pytest.raises(WheelError, match=message):
        check([path], matrix=None)


def test_a_broken_classifiers_toml_is_said(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    (release.root / "classifiers.toml").write_text("schema = 1\n")
    assert cli(release) == 2
    assert "classifiers.toml has" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--select", ""], "--select: it is empty"),
        (["--against", ""], "--against: it is empty"),
        (["--sarif", "no/such/a.sarif"], "--sarif: the folder no/such is not there"),
    ],
)
def test_what_is_empty_is_not_all_and_no_folder_is_made(
    words: list[str], why: str, release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli(release, *words)
    assert caught.value.code == 2
    assert f"argument {why}" in capsys.readouterr().err


def test_sarif_has_rules_results_and_relative_addresses(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    folder = release.root / "dist with space"
    shutil.move(release.dist, folder)
    moved = Release(release.root, folder)
    moved.classifier.unlink()
    target = release.root / "reports" / "check.sarif"
    target.parent.mkdir()
    assert cli(moved, "--ignore", "VK6", "--sarif", str(target)) == 1
    capsys.readouterr()
    document = json.loads(target.read_text())
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    described = run["tool"]["driver"]["rules"]
    assert {"VK101", "VK303"} <= {rule["id"] for rule in described}
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in described)
    assert {result["ruleId"] for result in run["results"]} == {"VK303", "VK305"}
    for result in run["results"]:
        assert described[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == "error"
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.startswith("dist%20with%20space/saxpy-1.2.3-cp31")
    assert run["invocations"] == [{"executionSuccessful": True, "exitCode": 1, "toolExecutionNotifications": []}]


def test_sarif_of_what_could_not_be_checked(release: Release) -> None:
    result = release.check(select=["VK801"])
    (run,) = json.loads(sarif(result, release.root))["runs"]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert run["invocations"][0]["toolExecutionNotifications"][0]["level"] == "error"


def test_it_runs_from_a_checkout(root: Path, release: Release) -> None:
    command = [sys.executable, "-m", "tools.check", "--root", str(release.root), "--ignore", "VK6", str(release.dist)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "13 files" in done.stdout


def test_nothing_that_comes_from_a_file_reaches_the_terminal_as_it_is() -> None:
    evil = "\x1b[2K\rnot\nshown\u202e"
    finding = Finding(file=Path(evil), rule="VK101", message=evil, level="error")
    text = Result(findings=(finding,), rules=("VK101",), files=1, unchecked=(evil,), notes=(evil,)).text()
    assert text.count("\\x1b[2K\\rnot\\nshown\\u202e") == 4
    assert all(line.isprintable() for line in text.split("\n"))
