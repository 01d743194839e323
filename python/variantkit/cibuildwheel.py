"""Build the wheels of a project in containers, through cibuildwheel: the same matrix, the same steps, the same cost.

Each wheel is one run of cibuildwheel with one Python: a classifier's library knows nothing of Python, and the base wheels
of all ABIs take the library that was compiled once. The wheels come out repaired by auditwheel.

Into the container goes the project's sdist. It is what the maintainers say belongs to the project, it is small, it is
known without git, and each build proves that it is complete. The compiled library of the base classifier is put into it
and not mounted, so that engines on another machine (docker in docker, a remote daemon) have it too.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import importlib.util
import io
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.build import Builder
from variantkit.container_engine import Engine, find_engine
from variantkit.container_settings import PREBUILT, container_settings
from variantkit.environments import BuildEnvironment, run_logged
from variantkit.errors import BuildError, InterpreterNotFoundError
from variantkit.interpreters import Interpreter, abi_named, abi_of
from variantkit.matrix import read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ContainerBuilder", "choose_container_interpreters", "container_machine"]

_PREBUILT_SETTING = "cmake.define.VARIANTKIT_PREBUILT_DIR"


def container_machine() -> str:
    """Return the machine that containers are of here, as platform tags spell it."""
    machine = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)


def choose_container_interpreters(root: Path, wanted: Iterable[str] | None = None) -> list[Interpreter]:
    """Return one interpreter in the container per base wheel of the project in `root`.

    `wanted` are tags such as "cp311", or "cp312-abi3" for the stable ABI, or versions, "3.11"; without it, those of all
    versions of CPython that cibuildwheel has and the project allows, without the free-threaded ones. Raises
    `InterpreterNotFoundError` for one that cibuildwheel does not build for, and `BuildError` when there is no cibuildwheel.
    """
    api = read_pyproject(root).get("tool", {}).get("scikit-build", {}).get("wheel", {}).get("py-api", "")
    by_abi: dict[str, Interpreter] = {}
    for identifier in _identifiers(root):
        by_abi.setdefault(abi_of(api, interpreter := _interpreter(identifier)), interpreter)
    if wanted is None:
        return [interpreter for interpreter in by_abi.values() if not interpreter.free_threaded]
    wanted = list(dict.fromkeys(abi_named(api, each) for each in wanted))
    if missing := [tag for tag in wanted if tag not in by_abi]:
        msg = (
            f"cibuildwheel {_version()} builds nothing for {', '.join(missing)} here (it does for: {', '.join(by_abi)}). "
            f"Leave it out, or build it on a machine that has that Python, with --builder local"
        )
        raise InterpreterNotFoundError(msg)
    return [by_abi[tag] for tag in wanted]


def _identifiers(root: Path) -> list[str]:
    """Return what cibuildwheel can build of the project, such as "cp311-manylinux_x86_64", oldest first."""
    environ = {**os.environ, "CIBW_BUILD": "cp*-manylinux_*", "CIBW_SKIP": ""}
    command = [*_cibuildwheel(), "--print-build-identifiers", "--platform", "linux", "--archs", container_machine()]
    run = subprocess.run([*command, str(root)], env=environ, capture_output=True, text=True, check=False)
    if run.returncode:
        msg = f"cibuildwheel does not say what it builds:\n{run.stderr.strip()}\nMend what it names there."
        raise BuildError(msg)
    return run.stdout.split()


def _interpreter(identifier: str) -> Interpreter:
    """Return the interpreter of an identifier such as "cp314t-manylinux_x86_64", where manylinux images have it."""
    tag = identifier.partition("-")[0]
    number = tag.removesuffix("t")
    return Interpreter(
        executable=Path("/opt/python", f"{number}-{tag}", "bin", "python"),
        version=(int(number[2]), int(number[3:])),
        free_threaded=tag.endswith("t"),
    )


def _cibuildwheel() -> list[str]:
    if importlib.util.find_spec("cibuildwheel") is None:
        msg = (
            f"cibuildwheel is not installed for {sys.executable} (it needs Python 3.11 or later): "
            f'python -m pip install "variantkit[release]"'
        )
        raise BuildError(msg)
    if importlib.util.find_spec("uv") is None and shutil.which("uv") is None:
        # Without it, cibuildwheel downloads what it audits stable-ABI wheels with from places that are no package index.
        msg = "uv is not installed, with which cibuildwheel audits wheels on this machine: python -m pip install uv"
        raise BuildError(msg)
    return [sys.executable, "-m", "cibuildwheel"]


def _version() -> str:
    return importlib.metadata.version("cibuildwheel")


@dataclasses.dataclass(kw_only=True)
class ContainerBuilder(Builder):
    """Builds wheels of the project in `root` in containers of `image`, and pure ones on this machine."""

    image: str = ""
    jobs: int = 1  # a container for each wheel needs room, and what a failed one leaves is removed with all others

    @functools.cached_property
    def _engine(self) -> Engine:
        engine = find_engine(os.environ)
        engine.remove(self.root)  # what a killed build has left
        return engine

    def _other_interpreters(self) -> list[Interpreter]:
        return []  # those of this machine are not in the image

    @property
    def _caches(self) -> dict[str, Path]:
        """Folders of this machine that containers write to, by the program whose cache it is."""
        ours = self.work / "container-cache"
        return {"ccache": Path(os.environ.get("CCACHE_DIR") or ours / "ccache").absolute(), "uv": ours / "uv"}

    @functools.cached_property
    def _host(self) -> Interpreter:
        """The running Python: what is pure needs no headers, and the same whatever is built in the container."""
        return Interpreter(
            executable=Path(getattr(sys, "_base_executable", "") or sys.executable),
            version=sys.version_info[:2],
            free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        )

    def _wheel(
        self,
        key: str,
        project: Path,
        interpreter: Interpreter,
        out: Path,
        *,
        settings: dict[str, str] | None,
        inputs: bytes = b"",
        kind: str = "wheel",
    ) -> tuple[Path, bool]:
        """Build one wheel in a container unless the one of the same inputs is there; return it and whether it was."""
        if settings is None:
            return super()._wheel(key, project, self._host, out, settings=None, inputs=inputs, kind=kind)
        pyproject = read_pyproject(project)
        stage = Path(settings[_PREBUILT_SETTING]) if _PREBUILT_SETTING in settings else None
        sources = self._sources(project, pyproject)
        environ = self._environ(sources)
        told = self._settings(interpreter, pyproject["build-system"]["requires"], settings)
        made_from = inputs + repr((_said(told), environ["SOURCE_DATE_EPOCH"])).encode()
        digest = self._digest(sources, interpreter, made_from)
        key = f"container-{key}" + ("-werror" if self.warnings_are_errors else "")
        return self._kept(
            key, digest, out, lambda folder: self._run(key, interpreter, {**environ, **told}, stage, folder)
        )

    def _settings(self, interpreter: Interpreter, requires: list[str], settings: dict[str, str]) -> dict[str, str]:
        """Return the environment variables for cibuildwheel."""
        base = self.matrix.project.base
        environment = BuildEnvironment(
            self.work, interpreter.executable, requires, classifiers="classifier" in settings
        )
        return container_settings(
            self.matrix.row(settings.get("classifier", base)),
            # The wheel of the base classifier is not published; its library is, in the base wheels, which are repaired.
            repair=settings.get("classifier") != base,
            backend=self._backend_settings(settings),
            requires=environment.requires,
            machine=container_machine(),
            image=self.image,
            engine=self._engine.setting,
            labels=self._engine.labels(self.root),
            caches=self._caches,
            environ=os.environ,
        )

    def _backend_settings(self, settings: dict[str, str]) -> dict[str, str]:
        more = {"cmake.define.CMAKE_COMPILE_WARNING_AS_ERROR": "ON"} if self.warnings_are_errors else {}
        return {**{name: PREBUILT if name == _PREBUILT_SETTING else value for name, value in settings.items()}, **more}

    def _run(
        self, key: str, interpreter: Interpreter, environ: dict[str, str], stage: Path | None, folder: Path
    ) -> Path:
        """Run cibuildwheel and return the wheel, in `folder`."""
        sdist, scratch, wheels = _with_prebuilt(self._sdist, stage, folder), folder / "tmp", folder / "wheels"
        for directory in (scratch, *self._caches.values()):
            directory.mkdir(parents=True, exist_ok=True)
        only = f"{interpreter.tag}-manylinux_{container_machine()}"
        command = [*_cibuildwheel(), "--only", only, "--output-dir", str(wheels), str(sdist)]
        try:
            run_logged(command, self.work / "logs" / f"{key}.log", env={**environ, "TMPDIR": str(scratch)})
        except BaseException:
            self._engine.remove(self.root)
            raise
        (wheel,) = wheels.glob("*.whl")
        self._audit(wheel)
        return wheel

    @functools.cached_property
    def _sdist(self) -> bytes:
        """The sdist of the project, without what was built beside its sources."""
        requires = self.pyproject["build-system"]["requires"]
        environment = BuildEnvironment(self.work / "envs" / self._host.tag, self._host.executable, requires)
        environment.ensure()
        with tempfile.TemporaryDirectory() as folder:
            command = [str(environment.python), "-m", "build", "--sdist", "--no-isolation", "--outdir", folder]
            command += [*self._sdist_options(self.root), str(self.root)]
            run_logged(command, self.work / "logs" / "container-sdist.log", env=self._environ([self.root]))
            (path,) = Path(folder).glob("*.tar.gz")
            return path.read_bytes()


def _said(settings: dict[str, str]) -> list[tuple[str, str]]:
    """Return what cibuildwheel is told that has a part in what comes out."""
    told = {name: value for name, value in os.environ.items() if name.startswith("CIBW_")} | settings
    told |= {name: os.environ.get(name, "") for name in os.environ.get("CIBW_ENVIRONMENT_PASS", "").split()}
    for name in ("CIBW_CONTAINER_ENGINE", "CIBW_ENVIRONMENT_PASS"):  # who builds; and caches, beside what is in `told`
        told.pop(name, None)
    # The version says which image is meant by a name such as manylinux_2_28.
    return [("cibuildwheel", _version()), *sorted(told.items())]


def _with_prebuilt(sdist: bytes, stage: Path | None, folder: Path) -> Path:
    """Write the sdist, with the compiled libraries in `stage` in it, to `folder`, and return its path."""
    path = folder / "source.tar.gz"
    if stage is None:
        path.write_bytes(sdist)
        return path
    with (
        tarfile.open(fileobj=io.BytesIO(sdist)) as source,
        tarfile.open(path, "w:gz", compresslevel=1) as target,
    ):
        members = source.getmembers()
        for member in members:
            target.addfile(member, source.extractfile(member) if member.isfile() else None)
        top = members[0].name.partition("/")[0]
        target.add(stage, f"{top}/{PREBUILT.partition('/')[2]}")
    return path
