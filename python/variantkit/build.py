"""Build the wheels of a project: each classifier once, and the base wheel once per Python ABI.

The kernel library of the base classifier is compiled once, as the wheel of that classifier, and the base wheels take it
from there. So a release costs `classifiers + ABIs` compilations and not their product.

Two wheels are built at a time, since starting a build, configuring and packing keep one CPU busy only.

A wheel whose inputs have not changed is not built again; build trees are kept under `build/`, so that a changed source
file costs its own compilation.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from variantkit.build_inputs import compiler, files_below, last_commit, toolchain
from variantkit.environments import BuildEnvironment, run_logged
from variantkit.errors import AuditError
from variantkit.files import storage, write_atomically
from variantkit.interpreters import find_interpreters
from variantkit.matrix import read_matrix, read_pyproject
from variantkit.sbom import NATIVE
from variantkit.stamps import made, remember
from variantkit.together import Together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from variantkit.interpreters import Interpreter
    from variantkit.matrix import Matrix
    from variantkit.progress import Progress

__all__ = ["Builder"]

# Build-time modules that a wheel depends on; the run-time ones are a wheel of their own.
_OWN_INPUTS = (
    "backend.py",
    "classifier_project.py",
    "classifiers.schema.json",
    "cmake/variantkitConfig.cmake",
    "features.py",
    "matrix.py",
    "matrix_check.py",
    "sbom.py",
    "wheel.py",
)


@dataclasses.dataclass(kw_only=True)
class Builder:
    """Builds wheels of the project in `root` into `out`."""

    root: Path
    out: Path
    progress: Progress
    warnings_are_errors: bool = False
    work: Path = Path()  # where build trees, and what was built, are kept: ROOT/build unless another place is named
    jobs: int = 2  # how many wheels at a time; the compiler runs on all CPUs in each
    _preparing: threading.Lock = dataclasses.field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.out = self.out.resolve()
        self.work = (self.root / "build" if self.work == Path() else self.work).resolve()
        self.matrix: Matrix = read_matrix(self.root)
        self.pyproject = read_pyproject(self.root)

    def build(self, classifiers: list[str], interpreters: list[Interpreter]) -> list[Path]:
        """Build the wheels of `classifiers` (the base's name stands for the base wheels) and return their paths.

        Raises `BuildError`, which names the log, when a build fails; wheels that were finished before stay.
        """
        base = self.matrix.project.base
        tool = self.tool(interpreters)
        with Together(self.jobs) as together:
            # The base's library first: that is what all base wheels wait for.
            stage = together.start(self._stage_base, tool) if base in classifiers else None
            wheels = [
                together.start(self._classifier_wheel, name, tool, self.out) for name in classifiers if name != base
            ]
            if stage is not None:
                wheels += [together.start(self._base_wheel, interpreter, stage) for interpreter in interpreters]
        return [each.result() for each in wheels]

    def tool(self, interpreters: Sequence[Interpreter]) -> Interpreter:
        """Return which one builds what is for no Python in particular: wheels of classifiers, pure ones and sdists.

        One that is not free-threaded, where there is one: not all that such a build needs has wheels for those.
        """
        usual = [each for each in interpreters if not each.free_threaded] or self._other_interpreters()
        return usual[0] if usual else interpreters[0]

    def _other_interpreters(self) -> list[Interpreter]:
        return [each for each in find_interpreters() if not each.free_threaded]

    def count(self, classifiers: list[str], interpreters: list[Interpreter]) -> int:
        """Return how many steps `build` will show."""
        base = self.matrix.project.base
        return len(set(classifiers) - {base}) + (1 + len(interpreters) if base in classifiers else 0)

    def _classifier_wheel(self, name: str, tool: Interpreter, out: Path) -> Path:
        label = self.matrix.row(name).label
        with self.progress.step(f"kernels for {name}") as step:
            wheel, reused = self._wheel(
                f"{self.matrix.project.package}_{label}", self.root, tool, out, settings={"classifier": name}
            )
            step.note = "unchanged" if reused else wheel.name
        return wheel

    def _stage_base(self, tool: Interpreter) -> Path:
        """Compile the base classifier's library and lay it where base wheels take it from."""
        base = self.matrix.base
        wheel = self._classifier_wheel(base.name, tool, self.work / "base")
        stage = self.work / "stage"
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                package, _, file = name.partition("/")
                if package == f"{self.matrix.project.package}_{base.label}" and file and not file.endswith(".py"):
                    write_atomically(stage / base.name / file, archive.read(name))
                    (stage / base.name / file).chmod(0o755 if file != "MANIFEST" else 0o644)
        return stage

    def _base_wheel(self, interpreter: Interpreter, staged: Future[Path]) -> Path:
        stage = staged.result()
        with self.progress.step(f"base wheel for {interpreter.tag}") as step:
            manifest = (stage / self.matrix.base.name / "MANIFEST").read_bytes()
            wheel, reused = self._wheel(
                f"base-{interpreter.tag}",
                self.root,
                interpreter,
                self.out,
                settings={"cmake.define.VARIANTKIT_PREBUILT_DIR": str(stage)},
                inputs=manifest,
            )
            step.note = "unchanged" if reused else wheel.name
        return wheel

    def sdist(self, project: Path, tool: Interpreter) -> Path:
        """Build the sdist of the project, or of another one of the same tree."""
        name = read_pyproject(project)["project"]["name"]
        with self.progress.step(f"sdist of {name}") as step:
            path, reused = self._wheel(f"sdist-{name}", project.resolve(), tool, self.out, settings=None, kind="sdist")
            step.note = "unchanged" if reused else path.name
        return path

    def pure_wheel(self, project: Path, tool: Interpreter) -> Path:
        """Build the wheel of another, pure Python project of the same tree."""
        name = read_pyproject(project)["project"]["name"]
        with self.progress.step(f"wheel of {name}") as step:
            wheel, reused = self._wheel(f"pure-{name}", project.resolve(), tool, self.out, settings=None)
            step.note = "unchanged" if reused else wheel.name
        return wheel

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
        """Build one wheel, or the sdist, unless the one of the same inputs is there; return it and whether it was."""
        pyproject = read_pyproject(project)
        environment = BuildEnvironment(
            self.work / "envs" / interpreter.tag,
            interpreter.executable,
            pyproject["build-system"]["requires"],
            classifiers="classifier" in (settings or {}),
        )
        # An sdist holds more than a wheel is made from.
        sources = self._sources(project, pyproject) if kind == "wheel" else [project]
        environ = self._environ(sources)
        made_from = inputs + repr((kind, settings, environ["SOURCE_DATE_EPOCH"])).encode()
        digest = self._digest(sources, interpreter, made_from)
        key += "-werror" if self.warnings_are_errors else ""

        def make(folder: Path) -> Path:
            options: dict[str, str] = {}
            with self._preparing:  # several wheels are built in one environment
                environment.ensure()
            # Beside the wheel, where also what a killed build has left is removed.
            scratch, outdir = folder / "tmp", folder / "out"
            scratch.mkdir()
            command = [str(environment.python), "-m", "build", f"--{kind}", "--no-isolation"]
            command += ["--outdir", str(outdir), str(project)]
            if kind == "sdist":
                command += self._sdist_options(project)
            elif settings is not None:
                options = self._options(key, settings)
                command += [f"-C{name}={value}" for name, value in options.items()]
            run_logged(command, self.work / "logs" / f"{key}.log", env={**environ, "TMPDIR": str(scratch)})
            (fresh,) = outdir.iterdir()
            if settings is not None:
                self._keep_symbols(key, fresh, Path(options["build-dir"]))
                self._audit(fresh)
            return fresh

        return self._kept(key, digest, out, make)

    def _audit(self, wheel: Path) -> None:
        """Raise `AuditError` where the machine code in a wheel is not what its label says; such a wheel is not kept."""
        from variantkit.audit import audit

        symbols = self.work / "symbols"
        result = audit([wheel], matrix=self.matrix, symbols=symbols if symbols.is_dir() else None, allow_undecoded=True)
        if not result:
            msg = f"{wheel.name} was built and must not be used:\n{result.text()}"
            raise AuditError(msg)

    def _keep_symbols(self, key: str, wheel: Path, tree: Path) -> None:
        """Keep the native files of a wheel as they were before they were stripped: an audit names functions by them."""
        with zipfile.ZipFile(wheel) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist() if NATIVE.fullmatch(name)}
        for path in tree.rglob("*"):
            if path.name in names and path.is_file():
                write_atomically(self.work / "symbols" / key / path.name, path.read_bytes())

    def _kept(self, key: str, digest: str, out: Path, make: Callable[[Path], Path]) -> tuple[Path, bool]:
        """Put what was built of inputs of this digest into `out`, and say whether it was there already.

        Otherwise it is what `make` builds in a temporary folder, and it is kept.
        """
        stamp, store = self.work / "stamps" / f"{key}.json", self.work / "wheels" / key
        built = made(stamp, digest, store)
        reused = built is not None
        if built is None:
            with storage(store):
                store.mkdir(parents=True, exist_ok=True)
            with (
                storage(store, read_too=True),
                tempfile.TemporaryDirectory(dir=store, prefix=".building-") as temporary,
            ):
                fresh = make(Path(temporary))
                built = fresh.replace(store / fresh.name)
            remember(stamp, digest, built)
            _keep_only(store, built)
        write_atomically(out / built.name, built.read_bytes())
        return out / built.name, reused

    def _sdist_options(self, project: Path) -> list[str]:
        """Return what keeps what was built beside the sources out of an sdist, also where no .gitignore does."""
        pyproject = read_pyproject(project)
        if project != self.root:
            return []
        exclude = [*pyproject.get("tool", {}).get("scikit-build", {}).get("sdist", {}).get("exclude", [])]
        inside = [built.relative_to(project) for built in (self.work, self.out) if project in built.parents]
        exclude += [f"/{built.as_posix()}/" for built in inside]
        return [f"-Csdist.exclude={';'.join(exclude)}"] if exclude else []

    def _options(self, key: str, settings: dict[str, str]) -> dict[str, str]:
        # CMake takes a compiler and its flags from the environment at the first configure only. A tree with warnings as
        # errors is another one too (by its key): the same files would be compiled again whenever the option changes.
        said = toolchain()
        tree = f"{key}-{hashlib.sha256(said.encode()).hexdigest()[:8]}" if said else key
        options = {**settings, "build-dir": str(self.work / "cmake" / tree)}
        if self.warnings_are_errors:
            options["cmake.define.CMAKE_COMPILE_WARNING_AS_ERROR"] = "ON"
        # Said even where there is none: CMake remembers the one that was there at the first configure.
        options["cmake.define.CMAKE_CXX_COMPILER_LAUNCHER"] = shutil.which("ccache") or ""
        return options

    def _sources(self, project: Path, pyproject: dict[str, Any]) -> list[Path]:
        """Return the files and folders that a wheel is made from."""
        sources = [project / "pyproject.toml"]
        if project != self.root:
            return [*sources, project]
        settings = pyproject.get("tool", {}).get("scikit-build", {})
        sources += [project / name for name in ("classifiers.toml", "README.md", "LICENSE")]
        sources += [project / settings.get("cmake", {}).get("source-dir", ".")]
        sources += [project / package for package in settings.get("wheel", {}).get("packages", [])]
        return [*sources, *(Path(__file__).parent / name for name in _OWN_INPUTS)]

    def _environ(self, sources: list[Path]) -> dict[str, str]:
        """Return the environment of a build: time stamps in wheels are those of the last commit that changed a source.

        So that the same sources give the same bytes; with the last commit of all, they would differ after any other.
        """
        environ = dict(os.environ)
        if "SOURCE_DATE_EPOCH" not in environ:
            own = [path for path in sources if path.is_relative_to(self.root)]
            # 1980-01-01 is the first time that a zip file can say.
            environ["SOURCE_DATE_EPOCH"] = last_commit(self.root, own) or last_commit(self.root, []) or "315532800"
        return environ

    def _digest(self, sources: list[Path], interpreter: Interpreter, more: bytes) -> str:
        """Hash all that a wheel is made from."""
        digest = hashlib.sha256(more)
        digest.update(f"{interpreter.executable}{interpreter.version}{self.warnings_are_errors}".encode())
        digest.update(f"{toolchain()}\0{compiler()}".encode())
        for path in files_below(sources, self.work):
            digest.update(f"{path}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def _keep_only(folder: Path, file: Path) -> None:
    """Remove what lies beside `file`: what was built of older sources, and what a killed build has left."""
    for path in folder.iterdir():
        if path != file:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
