"""Virtual environments for tests that install real wheels with real installers."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

__all__ = ["Environment", "build_command", "build_project", "clean_environ", "uv"]


def clean_environ() -> dict[str, str]:
    """Return the environment without what would show a child something of this checkout or a setting of the caller."""
    # A core that OpenBLAS is told to take has instructions that an emulated CPU has not.
    ours = ("PYTHON", "NDKERNELS_", "SAXPY_", "BACKEND_PRIORITY_", "OMP_", "OPENBLAS_", "MKL_", "VIRTUAL_ENV", "NOX_")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}


_PIP_SOURCES = {
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_NO_INDEX",
    "PIP_REQUIREMENT",
    "PIP_TARGET",
}


@dataclasses.dataclass(frozen=True)
class Environment:
    """A virtual environment in `folder`."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        return self.folder / "lib" / version / "site-packages"

    @classmethod
    def create(cls, folder: Path) -> Environment:
        """Make one with a pip of its own."""
        subprocess.run([uv(), "venv", "--quiet", "--seed", "--python", sys.executable, str(folder)], check=True)
        return cls(folder)

    @classmethod
    def copy(cls, source: Path, folder: Path) -> Environment:
        """Make one like `source`, in milliseconds: files are linked, and only replaced by installers, never written to."""
        shutil.copytree(source, folder, symlinks=True, copy_function=os.link)
        return cls(folder)

    def environ(self, **more: str) -> dict[str, str]:
        return {
            **clean_environ(),
            "VIRTUAL_ENV": str(self.folder),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            **more,
        }

    def pip(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run this environment's pip, without the indexes that whoever runs the tests has configured."""
        environ = {key: value for key, value in self.environ().items() if key not in _PIP_SOURCES}
        environ["PIP_CONFIG_FILE"] = os.devnull
        words = [str(self.python), "-m", "pip", *arguments, "--disable-pip-version-check", "--no-cache-dir"]
        return self._run(words, environ, check=check)

    def uv_install(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        words = [uv(), "pip", "install", "--python", str(self.python), *arguments]
        return self._run(words, self.environ(), check=check)

    def run(self, *arguments: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run this environment's Python somewhere else than in the checkout."""
        return self._run([str(self.python), *arguments], self.environ(**environ), check=check)

    def script(self, code: str, *, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.run("-c", textwrap.dedent(code), check=check, **environ)

    def json(self, code: str, **environ: str) -> Any:
        """Run `code`, which prints JSON, and return it."""
        return json.loads(self.script(code, **environ).stdout)

    def _run(self, words: list[str], environ: dict[str, str], *, check: bool) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            words, cwd=self.folder, env=environ, capture_output=True, text=True, check=False, timeout=600
        )
        assert not check or result.returncode == 0, (
            f"{words} gave {result.returncode}:\n{result.stdout}\n{result.stderr}"
        )
        return result


def uv() -> str:
    """Return the uv beside this Python, which the tests' requirements bring, or the one on PATH."""
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert found, "the tests need uv; it is in the dependency group `test`"
    return found


def build_command(project: Path, wheelhouse: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment that build another project; variantkit comes from this tree's wheels."""
    environ = {**clean_environ(), "UV_FIND_LINKS": str(wheelhouse), "PIP_FIND_LINKS": str(wheelhouse)}
    return [sys.executable, "-m", "variantkit", "build", "--root", str(project), *arguments], environ


def build_project(project: Path, wheelhouse: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Build another project as its maintainers would."""
    command, environ = build_command(project, wheelhouse, *arguments)
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
