"""The commands: their help, wrong arguments, and errors as a line that ends with advice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tiny_wheels import wheel
from variantkit import cli
from variantkit.errors import BuildError, CheckError, VariantkitError

COMMANDS = ("detect", "doctor", "matrix", "build", "repair", "assemble", "check", "index", "release", "lock")


@pytest.fixture
def project(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The second customer's project, and the folder that commands are run in."""
    folder = tmp_path / "saxpy"
    shutil.copytree(root / "tests" / "projects" / "saxpy", folder, ignore=shutil.ignore_patterns("build", "dist"))
    monkeypatch.chdir(folder)
    return folder


def run(*words: str) -> int:
    """Run `variantkit WORDS` and return its exit status."""
    try:
        return cli.main(words)
    except SystemExit as ended:  # argparse
        return int(ended.code or 0)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"usage: variantkit {name} ")
    assert f"`variantkit {name}`: " in captured.out
    assert captured.err == ""


def test_all_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in out] == []
    assert run() == 2
    assert capsys.readouterr().out == out


@pytest.mark.parametrize("name", ["repair", "assemble", "index", "release"])
def test_the_tools_of_this_repository_are_the_same_commands(name: str, root: Path) -> None:
    command = [sys.executable, "-m", f"tools.{name}", "--help"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"usage: python -m tools.{name} ")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("nothing", "known are: detect, doctor, matrix"),
        ("repair", "the following arguments are required: wheels, --out"),
        ("repair dist", "the following arguments are required: --out"),
        ("repair gone --out x", "is not there. Name wheels, or directories of wheels."),
        ("repair empty --out x", "there are no wheels to repair; build them first"),
        ("repair text.whl --out x", "text.whl is not the name of a wheel. Build it again, or leave it out."),
        ("repair dist --out x --root elsewhere", "Run this in a project that has a classifiers.toml, or name it."),
        ("assemble", "dist is not there. Name wheels, or directories of wheels."),
        ("assemble empty", "There is no base wheel of saxpy among these files. Build it, or name it too."),
        ("assemble --root elsewhere", "Run this in a project that has a classifiers.toml, or name it."),
        ("assemble --migrate", "name the variant wheels and -variants.json files to bring up to date"),
        ("assemble --migrate empty", "name the variant wheels and -variants.json files to bring up to date"),
        ("assemble --migrate gone.json", "Name a -variants.json, or a wheel that has a label."),
        ("assemble --migrate wheels/helper-0.5-py3-none-any.whl", "Name a wheel that has a label."),
        ("index", "there are no wheels to publish; build them first"),
        ("index empty", "there are no wheels to publish; build them first"),
        ("index text.whl", "Build it again, or leave it out."),
        ("index wheels --out text.whl", "Remove it, or choose another place."),
        ("index wheels --out empty/../wheels", "Remove it, or choose another place."),
        ("index --yank 1.0", "Name the folder of one."),
        ("index --yank x", "Name one that is published in"),
        ("index --yank 1.0 --unyank 1.0", "not allowed with argument --yank"),
        ("release --classifiers avx9", "Choose one of: sse2, fast-v2."),
        ("release --root elsewhere", "Run this in a project that has a classifiers.toml, or name it."),
        ("release --builder docker", "invalid choice: 'docker'"),
        ("release --nothing", "unrecognized arguments: --nothing"),
        ("release more", "unrecognized arguments: more"),
    ],
)
def test_wrong_arguments_end_with_advice(
    words: str, advice: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "empty").mkdir()
    (project / "text.whl").write_text("no wheel")
    wheel(project / "wheels", "helper-0.5-py3-none-any.whl")
    if words.startswith("repair dist"):
        wheel(project / "dist", "helper-0.5-py3-none-any.whl")
    before = {path.name for path in project.iterdir()}
    assert run(*words.split()) == 2
    captured = capsys.readouterr()
    assert advice in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert {path.name for path in project.iterdir()} - before <= {"build"}


def test_a_damaged_wheel_is_a_line_and_no_traceback(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheel(project / "dist", "saxpy-1.2.3-py3-none-any.whl")
    path.write_bytes(path.read_bytes()[:-30])
    for words in (["index"], ["assemble"], ["repair", "dist", "--out", "x"]):
        assert run(*words) == 2
        err = capsys.readouterr().err.splitlines()
        assert err[-1].startswith("error: ")
        assert "cannot be read as a wheel" in err[-1]
        assert err[-1].endswith(".")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (VariantkitError("That is wrong. Mend it."), 2, "error: That is wrong. Mend it.\n"),
        (CheckError("That is wrong. Mend it."), 2, "error: That is wrong. Mend it.\n"),
        (BuildError("It failed. Look there."), 1, "error: It failed. Look there.\n"),
        (KeyboardInterrupt(), 130, "interrupted; nothing is left half-done, and what was finished is kept\n"),
    ],
)
def test_errors_are_a_line_and_an_exit_status(
    error: BaseException, status: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        raise error

    assert cli.run(command) == status
    assert capsys.readouterr().err == text


def test_what_is_not_installed_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str, package: str) -> None:
        msg = "No module named 'packaging'"
        raise ModuleNotFoundError(msg, name="packaging")

    monkeypatch.setattr(cli.importlib, "import_module", missing)
    assert run("index") == 1
    assert capsys.readouterr().err == (
        'variantkit index needs packaging, which is not installed: python -m pip install "variantkit[release]"\n'
    )
