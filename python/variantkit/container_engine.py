"""The program that runs containers, docker or podman, as far as a build has to know it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
import shutil
import subprocess
from typing import TYPE_CHECKING

from variantkit.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Engine", "find_engine"]

# cibuildwheel's own order.
_KNOWN = ("docker", "podman")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Engine:
    """A container engine; `setting` is what CIBW_CONTAINER_ENGINE says, its name and perhaps options."""

    setting: str

    @property
    def name(self) -> str:
        """The command."""
        return self.setting.replace(";", " ").split()[0]

    def labels(self, project: Path) -> dict[str, str]:
        """Return the labels that the containers of this process get, so that they can be told from all others."""
        place = hashlib.sha256(f"{platform.node()}\0{project}".encode()).hexdigest()[:12]
        return {"variantkit.project": place, "variantkit.process": str(os.getpid())}

    def remove(self, project: Path) -> None:
        """Remove the containers that this process has made for the project and left, and those of processes that are gone.

        cibuildwheel removes its container itself, but not when it is told to end, or killed.
        """
        labels = self.labels(project)
        every = self._ask(
            "ps", "--all", "--quiet", "--filter", f"label=variantkit.project={labels['variantkit.project']}"
        )
        for container in every:
            owner = self._ask("inspect", "--format", '{{index .Config.Labels "variantkit.process"}}', container)
            if owner == [labels["variantkit.process"]] or (owner and not _alive(owner[0])):
                self._ask("rm", "--force", "--volumes", container)

    def _ask(self, *words: str) -> list[str]:
        run = subprocess.run([self.name, *words], capture_output=True, text=True, check=False)
        return run.stdout.split() if run.returncode == 0 else []


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def find_engine(environ: Mapping[str, str], known: Iterable[str] = _KNOWN) -> Engine:
    """Return the engine that CIBW_CONTAINER_ENGINE names, or the first of docker and podman that answers.

    Raises `BuildError` when there is none.
    """
    if named := environ.get("CIBW_CONTAINER_ENGINE", "").strip():
        engine = Engine(setting=named)
        if shutil.which(engine.name) is None:
            msg = f"CIBW_CONTAINER_ENGINE says {engine.name}, which is not installed. Install it, or name another one."
            raise BuildError(msg)
        return engine
    for name in known:
        # docker is often there without its daemon: only then does `docker version` fail.
        if shutil.which(name) and subprocess.run([name, "version"], capture_output=True, check=False).returncode == 0:
            return Engine(setting=name)
    msg = (
        "No container engine answers: neither docker nor podman. Install podman or start docker's daemon; "
        "or build on this machine, with --builder local"
    )
    raise BuildError(msg)
