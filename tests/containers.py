"""Builds in containers, for the tests of them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

__all__ = ["Built", "build_command", "containers"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Built:
    """What a build has made, and what it said."""

    wheels: dict[str, Path]
    """By distribution and Python tag, such as "ndkernels cp311"."""
    abis: list[str]
    said: str

    @property
    def base(self) -> list[Path]:
        """The base wheels."""
        return [self.wheels[f"ndkernels {abi.partition('-')[0]}"] for abi in self.abis]

    @property
    def avx2(self) -> Path:
        return self.wheels["ndkernels_avx2 py3"]


def build_command(*arguments: str) -> list[str]:
    """Return the command, to be run in the repository."""
    return [sys.executable, "-m", "tools.build", "--builder", "cibuildwheel", *arguments]


def containers(environ: dict[str, str]) -> list[str]:
    """Return the containers of the image's storage, running or not."""
    command = ["podman", "ps", "--all", "--quiet"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.split()
