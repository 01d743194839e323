"""What linters and the published schemas say of the pipelines; each is shown to find something first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent

BAD = """\
name: bad
on: pull_request_target
jobs:
  bad:
    runs-on: ubuntu-24.04
    permissions:
      content: read
    steps:
      - uses: actions/checkout@v4
      - run: echo ${{ github.event.issue.title }} $UNQUOTED
"""


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / words[0], *words[1:]], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A repository whose workflow is wrong in every way."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (folder / "bad.yml").write_text(BAD)
    return tmp_path


def actionlint(cwd: Path) -> subprocess.CompletedProcess[str]:
    # Where shellcheck is missing, actionlint passes scripts over without a word.
    return run("actionlint", "-no-color", "-shellcheck", BIN / "shellcheck", cwd=cwd)


def test_actionlint_finds_mistakes_in_workflows_and_scripts(bad: Path) -> None:
    found = actionlint(bad)
    assert found.returncode == 1
    assert 'unknown permission scope "content"' in found.stdout
    assert "potentially untrusted" in found.stdout
    assert "SC2086" in found.stdout


def test_actionlint_finds_nothing(root: Path) -> None:
    found = actionlint(root)
    assert found.returncode == 0, found.stdout + found.stderr


def zizmor(cwd: Path) -> subprocess.CompletedProcess[str]:
    return run("zizmor", "--offline", "--no-progress", "--persona=pedantic", "--color=never", ".", cwd=cwd)


def test_zizmor_finds_what_is_dangerous(bad: Path) -> None:
    found = zizmor(bad)
    assert found.returncode not in {0, 1}
    for audit in ("dangerous-triggers", "unpinned-uses", "template-injection", "artipacked"):
        assert f"[{audit}]" in found.stdout


def test_zizmor_finds_nothing(root: Path) -> None:
    found = zizmor(root)
    assert found.returncode == 0, found.stdout
    assert "No findings to report" in found.stdout
    for name in ("ci", "release", "site", "snapshot"):
        assert f"workflows/{name}.yml" in found.stderr  # each was looked at


def check_schema(schema: str, *files: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    transform = ["--data-transform", "gitlab-ci"] if schema == "vendor.gitlab-ci" else []
    return run("check-jsonschema", "--builtin-schema", schema, *transform, *files, cwd=cwd)


@pytest.mark.parametrize(
    ("schema", "patterns"),
    [
        ("vendor.github-workflows", [".github/workflows/*.yml"]),
        ("custom.github-workflows-require-timeout", [".github/workflows/*.yml"]),
        ("vendor.dependabot", [".github/dependabot.yml"]),
        ("vendor.gitlab-ci", [".gitlab-ci.yml", "ci/gitlab.yml"]),
    ],
)
def test_published_schemas_are_kept(root: Path, tmp_path: Path, schema: str, patterns: list[str]) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("jobs: {wrong: {runs-on: x, steps: 1}}\nupdates: 1\nscript: {a: 1}\n")
    assert check_schema(schema, wrong, cwd=root).returncode == 1
    files = [path for pattern in patterns for path in sorted(root.glob(pattern))]
    assert len(files) >= len(patterns)
    found = check_schema(schema, *files, cwd=root)
    assert found.returncode == 0, found.stdout + found.stderr


def test_what_the_matrix_prints_for_gitlab_is_a_pipeline(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.matrix", "--format", "gitlab", "--classifiers", "avx2"]
    path = tmp_path / "child.yml"
    path.write_text(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)
    found = check_schema("vendor.gitlab-ci", path, cwd=root)
    assert found.returncode == 0, found.stdout + found.stderr
