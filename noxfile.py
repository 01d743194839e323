"""Sessions of this repository; `nox --list` shows them."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "test"]
nox.options.reuse_venv = "yes"

PYPROJECT = nox.project.load_toml("pyproject.toml")
VERSION = PYPROJECT["project"]["version"]
CLASSIFIERS = [name for name in PYPROJECT["project"]["optional-dependencies"] if name != "all"]


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group, with those it includes."""
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session
def demo(session: nox.Session) -> None:
    """Build, index, install with pip into a fresh environment, report, and time generic against the best."""
    session.install(*group("build"))
    run(session, "python", "-m", "tools.demo", *session.posargs)


@nox.session
def test(session: nox.Session) -> None:
    """Run the whole test suite against freshly built and installed wheels."""
    session.install(*group("build"), *group("test"))
    run(session, "python", "-m", "tools.build", "--werror", "--out", "build/dist")
    install_wheels(session)
    run(session, "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, mypy, clang-format and the check for drifted files."""
    session.install(*group("build"), *group("test"), *group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check", "--diff")
    session.run("mypy")
    session.run("clang-format", "--dry-run", "--Werror", *native_sources())
    session.run("python", "-m", "tools.matrix", "--check")


@nox.session
def format(session: nox.Session) -> None:  # noqa: A001 -- what everybody calls this session
    """Format everything, and write what is generated from classifiers.toml."""
    session.install(*group("build"), *group("lint"))
    session.run("ruff", "check", "--fix")
    session.run("ruff", "format")
    session.run("clang-format", "-i", *native_sources())
    session.run("python", "-m", "tools.matrix", "--write")


@nox.session
def build(session: nox.Session) -> None:
    """Build all wheels that this machine can build into dist/, and index them."""
    session.install(*group("build"))
    run(session, "python", "-m", "tools.build", *session.posargs)
    session.run("python", "-m", "tools.index")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure start-up and matmul beside the peers and write benchmarks/results/."""
    session.install(*group("build"), *group("bench"))
    run(session, "python", "-m", "tools.build", "--out", "build/dist")
    install_wheels(session)
    session.run("python", "benchmarks/startup.py", *session.posargs)
    session.run("python", "benchmarks/matmul.py", *session.posargs)


def run(session: nox.Session, *command: str) -> None:
    """Run a command that cleans up after Ctrl-C itself; nox would give it half a second for that."""
    session.run(*command, interrupt_timeout=20, terminate_timeout=20)


def native_sources() -> list[str]:
    """Return the C++ files of this tree."""
    files = [path for folder in ("native", "tests") for path in Path(folder).rglob("*")]
    return sorted(str(path) for path in files if path.suffix in {".c", ".cpp", ".cu", ".h", ".hpp"})


def install_wheels(session: nox.Session) -> None:
    """Install the wheels in build/dist, with every classifier; what they need is there already, so no index is asked."""
    # Reinstalled, since a rebuilt wheel has the same version as the one before.
    ours = ["variantkit", "ndkernels", *(f"ndkernels-{name}" for name in CLASSIFIERS)]
    session.install(
        "--no-index", "--find-links", "build/dist", *(f"--reinstall-package={name}" for name in ours),
        f"ndkernels[all]=={VERSION}", "variantkit[build]",
    )  # fmt: skip
