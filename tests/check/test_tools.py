"""The tools of others, run as they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from check_release import Release, entry, messages, rewrite, rules, write
from variantkit.check import check, tool_rules
from variantkit.cli import check as command
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from variantkit.check import Result


def lint(release: Release, rule: str) -> Result:
    return check([release.dist], matrix=release.matrix, root=release.root, select=[rule])


def change_metadata(path: Path, old: bytes, new: bytes) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = entry(files, ".dist-info/METADATA")
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    rewrite(path, change)


def test_twine_and_check_wheel_contents_accept_a_right_release(release: Release) -> None:
    result = release.check(ignore=())
    assert {"VK601", "VK602"} <= set(result.rules)
    assert result.findings == ()
    assert result


def test_what_twine_says_is_said_of_each_file(release: Release) -> None:
    markdown = b"Description-Content-Type: text/markdown"
    helper = release.dist / "helper-0.5-py3-none-any.whl"
    # One that is shown wrongly, one that is not described, one at which twine stops; the others are checked all the same.
    change_metadata(
        release.variant, markdown + b"\n\nA *test*.", b"Description-Content-Type: text/x-rst\n\n.. x::\n\n `y"
    )
    change_metadata(release.classifier, markdown + b"\n\nA *test*.\n", b"")
    change_metadata(release.base, markdown, b"Made-Up: field")
    change_metadata(helper, markdown + b"\n\nA *test*.\n", b"")
    result = lint(release, "VK601")
    assert {finding.file for finding in result.findings} == {release.variant, release.classifier, release.base, helper}
    text = messages(result, "VK601")
    assert "twine: `long_description` has syntax errors in markup" in text
    assert f"{release.classifier.name}: twine: `long_description_content_type` missing." in text
    assert f"{release.base.name}: twine: InvalidDistribution" in text
    assert "'made-up'" in text
    assert result.status == 1


def test_a_file_at_which_a_tool_falls_over_is_named_and_the_others_are_checked(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tool_rules._call

    def call(words: list[str], folder: Path | None) -> tuple[str, str]:
        paths = [word for word in words if word.endswith((".whl", ".gz"))]
        place = paths.index(str(release.classifier)) if str(release.classifier) in paths else len(paths)
        output, errors = real([word for word in words if word not in paths[place:]], folder) if place else ("", "")
        return output, errors + ("\nTraceback\nKeyError: 'x'\n" if place < len(paths) else "")

    monkeypatch.setattr(tool_rules, "_call", call)
    result = lint(release, "VK601")
    assert [finding.file for finding in result.findings] == [release.classifier]
    assert "twine: it stops at this file: KeyError: 'x'" in result.findings[0].message


def test_a_tool_that_does_not_work_at_all_is_said(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_rules, "_call", lambda words, folder: ("", "ImportError: no rich\n"))
    result = lint(release, "VK601")
    assert result.findings == ()
    assert not result
    assert result.status == 2
    assert "twine fails again and again: ImportError: no rich. Bring it up to date" in result.text()


@pytest.mark.parametrize(("rule", "name"), [("VK601", "twine"), ("VK602", "check-wheel-contents")])
def test_a_missing_tool_is_never_passed_over(
    release: Release, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rule: str, name: str
) -> None:
    monkeypatch.setattr(tool_rules.importlib.util, "find_spec", lambda name: None)
    words = ["--root", str(release.root), "--select", rule, str(release.dist)]
    assert command.main(words, prog="check") == 2
    assert f"not checked: {rule}: {name} is not installed. Install it: python -m pip install" in capsys.readouterr().out


def test_what_check_wheel_contents_says_is_said_of_each_file(release: Release) -> None:
    rewrite(release.base, lambda files: files.update({"saxpy/a.pyc": b"1", "tests/__init__.py": b"x = 1\n"}))
    # It does not know labels, and is not asked about them.
    rewrite(release.variant, lambda files: files.update({"saxpy/a.pyc": b"1"}))
    result = lint(release, "VK602")
    assert {finding.file for finding in result.findings} == {release.base}
    text = messages(result, "VK602")
    assert "check-wheel-contents: W001: Wheel contains .pyc/.pyo files: saxpy/a.pyc. Mend what" in text
    assert "W005: Wheel contains common toplevel name in library: tests/" in text
    assert "W009" in text


def test_its_settings_are_those_of_the_project(release: Release) -> None:
    rewrite(release.base, lambda files: files.update({"saxpy/a.pyc": b"1"}))
    path = release.root / "pyproject.toml"
    path.write_text(path.read_text() + '\n[tool.check-wheel-contents]\nignore = ["W001"]\n')
    assert lint(release, "VK602")
    assert not check([release.dist], matrix=None, select=["VK602"])


def test_libraries_that_auditwheel_brings_along_are_right(release: Release) -> None:
    rewrite(release.base, lambda files: files.update({"saxpy.libs/libgomp-1.so": b"code"}))
    assert lint(release, "VK602")
    rewrite(release.base, lambda files: files.update({"no-module/libgomp-1.so": b"more"}))
    assert "W004: Module is not located at importable path: no-module/libgomp-1.so" in messages(
        lint(release, "VK602"), "VK602"
    )


def test_a_library_may_lie_in_a_folder_that_cannot_be_imported(release: Release) -> None:
    """Folders of libraries have the names of classifiers, which may have a hyphen."""

    def change(files: dict[str, bytes]) -> None:
        for name in [name for name in files if "/classifiers/" in name]:
            files[name.replace("sse2/", "x86-64/")] = files.pop(name)

    rewrite(release.base, change)
    assert lint(release, "VK602")


def test_names_with_spaces_and_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a folder [1] of many"
    for number in range(12):
        name = WheelName(distribution=f"p{number}", version="1.0", python="py3", abi="none", platform="any")
        write(folder, name, {f"p{number}/__init__.py": b"" if number else b"x"}, [])
    last = folder / "p11-1.0-py3-none-any.whl"
    rewrite(last, lambda files: files.update({"p11/a.pyc": b"1"}))
    monkeypatch.setattr(tool_rules, "_LONGEST", 4 * len(str(last)))  # so that it takes several calls
    result = check([folder], matrix=None, select=["VK6"])
    assert rules(result) == {"VK602"}
    assert {finding.file for finding in result.findings} == {last}


def test_they_are_run_from_any_folder(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(release.dist.parent)
    result = check([Path("dist")], matrix=release.matrix, root=Path("project"), select=["VK6"])
    assert result.findings == ()
    assert result
