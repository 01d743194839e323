"""The rules of the house that no linter knows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from variantkit.ci import LINUX_IMAGE
from variantkit.matrix import read_pyproject


def tracked(root: Path) -> list[Path]:
    """Return the files that belong to the project: git's, or where there is no git those outside of build folders."""
    try:
        git = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
        names = git.stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        built = {"build", "dist", "__pycache__"}
        found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        names = [
            str(path) for path in found if not any(part in built or part.startswith(".") for part in path.parts[:-1])
        ]
    return [root / name for name in names if name and (root / name).exists()]


def test_variantkit_knows_no_customer(root: Path) -> None:
    files = [path for path in tracked(root) if (root / "python" / "variantkit") in path.parents]
    assert len(files) > 20
    assert [path.name for path in files if "ndkernels" in path.read_text(encoding="utf-8").lower()] == []


def test_the_hooks_use_the_versions_of_the_lint_group(root: Path) -> None:
    hooks = set(re.findall(r'"((?:ruff|clang-format)==[^"]+)"', (root / ".pre-commit-config.yaml").read_text()))
    group = set(read_pyproject(root)["dependency-groups"]["lint"])
    assert hooks
    assert hooks <= group


def test_the_two_distributions_have_one_version(root: Path) -> None:
    version = read_pyproject(root)["project"]["version"]
    assert read_pyproject(root / "python")["project"]["version"] == version
    assert f"variantkit=={version}" in read_pyproject(root)["project"]["dependencies"]
    assert f"## {version}" in (root / "CHANGELOG.md").read_text()


def test_both_distributions_carry_the_licence(root: Path) -> None:
    assert (root / "python" / "LICENSE").read_text() == (root / "LICENSE").read_text()


def test_no_binary_and_no_large_file_is_committed(root: Path) -> None:
    for path in tracked(root):
        content = path.read_bytes()
        assert len(content) < 300_000, path
        if path.suffix != ".png":
            assert b"\0" not in content, path


def test_no_page_says_which_c_library_the_machine_of_its_writer_had(root: Path) -> None:
    for page in ("docs/releasing.md", "ci/container/README.md"):
        named = set(re.findall(r"manylinux_2_\d+", (root / page).read_text(encoding="utf-8")))
        assert named <= {LINUX_IMAGE}, page
