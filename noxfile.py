"""Sessions of this repository; `nox --list` shows them."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "test"]
nox.options.reuse_venv = "yes"

PYPROJECT = nox.project.load_toml("pyproject.toml")
CLASSIFIERS = [name for name in PYPROJECT["project"]["optional-dependencies"] if name != "all"]


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group, with those it includes."""
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session
def demo(session: nox.Session) -> None:
    """Build, index, install with pip into a fresh environment, report, and time generic against the best."""
    session.install(*group("build"))
    session.run("python", "-m", "tools.demo", *session.posargs)


@nox.session
def test(session: nox.Session) -> None:
    """Run the whole test suite against freshly built and installed wheels."""
    session.install(*group("build"), *group("test"))
    session.run("python", "-m", "tools.build", "--werror", "--out", "build/dist")
    install_wheels(session)
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, mypy, clang-format and the check for drifted files."""
    session.install(*group("build"), *group("test"), *group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check", "--diff")
    session.run("mypy")
    sources = session.run("git", "ls-files", "*.cpp", "*.hpp", "*.h", "*.cu", external=True, silent=True)
    session.run("clang-format", "--dry-run", "--Werror", *str(sources).split())
    session.run("python", "-m", "tools.matrix", "--check")


@nox.session
def format(session: nox.Session) -> None:  # noqa: A001
    """Format everything, and write what is generated from classifiers.toml."""
    session.install(*group("build"), *group("lint"))
    session.run("ruff", "check", "--fix")
    session.run("ruff", "format")
    sources = session.run("git", "ls-files", "*.cpp", "*.hpp", "*.h", "*.cu", external=True, silent=True)
    session.run("clang-format", "-i", *str(sources).split())
    session.run("python", "-m", "tools.matrix", "--write")


@nox.session
def build(session: nox.Session) -> None:
    """Build all wheels that this machine can build into dist/, and index them."""
    session.install(*group("build"))
    session.run("python", "-m", "tools.build", *session.posargs)
    session.run("python", "-m", "tools.index")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure start-up and matmul beside the peers and write benchmarks/results/."""
    session.install(*group("build"), *group("bench"))
    session.run("python", "-m", "tools.build", "--out", "build/dist")
    install_wheels(session)
    session.run("python", "benchmarks/startup.py", *session.posargs)
    session.run("python", "benchmarks/matmul.py", *session.posargs)


def install_wheels(session: nox.Session) -> None:
    """Install the wheels in build/dist, with every classifier; what they need is there already, so no index is asked."""
    # Reinstalled, since a rebuilt wheel has the same version as the one before.
    ours = ["variantkit", "ndkernels", *(f"ndkernels-{name}" for name in CLASSIFIERS)]
    session.install(
        "--no-index", "--find-links", "build/dist", *(f"--reinstall-package={name}" for name in ours),
        "ndkernels[all]", "variantkit[build]",
    )  # fmt: skip
