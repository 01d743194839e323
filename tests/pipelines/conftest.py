"""The pipelines of this repository, and a shell that runs their scripts as GitHub and GitLab do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tools  # noqa: F401 -- from here on, variantkit can be imported from this tree
from pipeline_files import Script, github_scripts, gitlab_scripts, read

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def workflows() -> dict[str, Any]:
    """The GitHub workflows, by file name."""
    return {path.name: read(path) for path in sorted((ROOT / ".github" / "workflows").iterdir())}


@pytest.fixture(scope="session")
def gitlab() -> Any:
    """The GitLab pipeline."""
    return read(ROOT / "ci" / "gitlab.yml")


@pytest.fixture(scope="session")
def scripts(workflows: dict[str, Any], gitlab: Any) -> list[Script]:
    """Every script in every pipeline."""
    return [*github_scripts(workflows), *gitlab_scripts(gitlab)]


@pytest.fixture
def bash(tmp_path: Path) -> Callable[..., str]:
    """Run a script as GitHub and GitLab do; `commands` come before those of the machine."""

    def run(text: str, cwd: Path, *, commands: Path | None = None, **env: str) -> str:
        path = [str(Path(sys.executable).parent), os.environ["PATH"]]
        environ = {
            "PATH": os.pathsep.join([*([str(commands)] if commands else []), *path]),
            "PYTHONPATH": str(ROOT / "python"),
            "HOME": str(tmp_path),
            **env,
        }
        # GitHub: bash --noprofile --norc -e -o pipefail
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", text],
            cwd=cwd, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
