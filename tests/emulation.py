"""Machines that we do not have: QEMU's models, what each can run, and a Python on one of them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments import Environment

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["BASE", "CLASSIFIERS", "FEATURES", "MACHINES", "NEVER", "RANKS", "SUBSETS", "Emulator", "Run"]

ROOT = Path(__file__).resolve().parent.parent

# QEMU's models, and the classifiers beside the base that each can run. QEMU emulates no AVX-512 at all.
MACHINES: dict[str, frozenset[str]] = {
    "Conroe": frozenset(),
    "Nehalem": frozenset(),
    "SandyBridge": frozenset(),
    "Haswell": frozenset({"avx2"}),
    "Haswell,-avx2": frozenset(),
    "qemu64": frozenset(),
    "kvm64": frozenset(),
    "max": frozenset({"avx2"}),
}
NEVER = frozenset({"avx512"})

MATRIX = tomllib.loads((ROOT / "classifiers.toml").read_text(encoding="utf-8"))
BASE: str = MATRIX["project"]["base"]
# Those on request have the kernels of others.
_ROWS = [row for row in MATRIX["classifier"] if not row.get("on-request")]
RANKS: dict[str, int] = {row["name"]: row["rank"] for row in _ROWS}
FEATURES: dict[str, frozenset[str]] = {row["name"]: frozenset(row["features"]) for row in _ROWS}
CLASSIFIERS = tuple(name for name in RANKS if name != BASE)
SUBSETS = tuple(subset for size in range(len(CLASSIFIERS) + 1) for subset in itertools.combinations(CLASSIFIERS, size))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """How a process on an emulated machine ended; a negative `status` is the signal that killed it."""

    status: int
    output: str
    errors: str
    seconds: float

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON that it printed."""
        assert self.status == 0, f"status {self.status}:\n{self.output[-1000:]}\n{self.errors[-3000:]}"
        found: dict[str, Any] = json.loads(self.output)
        return found


@dataclasses.dataclass(frozen=True)
class Emulator:
    """QEMU's user mode: one process runs on a CPU of our choice, with the kernel and the /proc of this machine."""

    path: str

    def run(self, machine: str, *command: str | Path, environ: Mapping[str, str], cwd: Path) -> Run:
        # No core files: QEMU writes one of its own.
        words = ["sh", "-c", 'ulimit -c 0; exec "$@"', "sh", self.path, "-cpu", machine, *map(str, command)]
        start = time.monotonic()
        result = subprocess.run(
            words, cwd=cwd, env=dict(environ), capture_output=True, text=True, check=False, timeout=600
        )
        errors = [line for line in result.stderr.splitlines() if "TCG doesn't support requested feature" not in line]
        return Run(
            status=result.returncode,
            output=result.stdout,
            errors="\n".join(errors),
            seconds=time.monotonic() - start,
        )

    def python(self, machine: str, environment: Environment, *arguments: str | Path, **environ: str) -> Run:
        """Run an environment's Python."""
        return self.run(
            machine,
            environment.python,
            *arguments,
            environ=environment.environ(**environ),
            cwd=environment.folder,
        )
