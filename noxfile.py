"""Sessions of this repository; `nox --list` shows them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "test"]
nox.options.reuse_venv = "yes"

PYPROJECT = nox.project.load_toml("pyproject.toml")
VERSION = PYPROJECT["project"]["version"]
# Emulated and recorded machines (tests/test_recorded.py) together have a quarter of an hour.
EMULATED_LIMIT = 600
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
# The other extras are for libraries of somebody else.
CLASSIFIERS = [name for name, lines in EXTRAS.items() if name != "all" and lines[0].startswith(f"ndkernels-{name}==")]


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
    session.install(*group("release"), *group("test"))
    run(session, "python", "-m", "tools.build", "--werror", "--out", "build/dist")
    install_wheels(session)
    run(session, "pytest", *session.posargs)


@nox.session
def beside_torch(session: nox.Session) -> None:
    """Compare the results and gradients of the layers with those of torch."""
    session.install("pip", *group("build"), *group("test"))
    install_torch(session)
    run(session, "python", "-m", "tools.build", "--werror", "--out", "build/dist")
    install_wheels(session)
    run(session, "pytest", "tests/beside_torch", *session.posargs)


@nox.session
def mkl(session: nox.Session) -> None:
    """Run the tests of matrix products by a BLAS with MKL, which is too large for every run of the others."""
    session.install(*group("release"), *group("test"), *group("mkl"))
    run(session, "python", "-m", "tools.build", "--werror", "--out", "build/dist")
    install_wheels(session)
    session.env["BLAS_UNDER_TEST"] = "mkl"
    run(session, "pytest", "tests/test_api_blas.py", "tests/test_helpers.py", "tests/test_explain.py", *session.posargs)


@nox.session
def onednn(session: nox.Session) -> None:
    """Run the functions with oneDNN as their helper, and compare its declarations with its headers."""
    session.install(*group("develop"), *group("onednn"))
    session.env["NDKERNELS_CLASSIFIER"] = classifier = session.posargs[0] if session.posargs else "onednn-avx2"
    run(session, *developed(classifier), "python", "-m", "pytest", "tests/onednn")
    # What starts processes is left out, as for the sanitizers; and what says that bits are those of the own kernels.
    tests = sorted(
        str(path) for path in Path("tests").glob("test_api_*.py") if "subprocess" not in path.read_text("utf-8")
    )
    session.env["NDKERNELS_HELPERS"] = "onednn"
    run(session, *developed(classifier), "python", "-m", "pytest", *tests, "-m", "not own_bits")


@nox.session
def acceptance(session: nox.Session) -> None:
    """Build a whole release, and install from it with real pip and uv in every way that users have."""
    session.install(*group("acceptance"))
    pytest_with_this_tree(session, "tests/acceptance")


@nox.session
def faults(session: nox.Session) -> None:
    """Kill, starve and race the release pipeline; a reader of its index must never notice."""
    session.install(*group("acceptance"))
    pytest_with_this_tree(session, "tests/faults")


@nox.session
def container(session: nox.Session) -> None:
    """Build wheels through cibuildwheel in a container that is made here (root, podman, debootstrap)."""
    if os.geteuid() != 0:
        session.error("Containers are made by root here: run this session as root, or deselect it.")
    debian(session, "podman", "runc", "debootstrap", "ccache")
    session.install(*group("acceptance"))
    pytest_with_this_tree(session, "tests/container")


@nox.session(python=False)
def compiler_cache(session: nox.Session) -> None:
    """Install ccache (root, Debian), which builds use where it is there."""
    debian(session, "ccache")


@nox.session
def emulated(session: nox.Session) -> None:
    """Run the wheels on emulated CPUs without what their classifiers need (qemu-user), and natively on this one.

    VARIANTKIT_EXPECT_CLASSIFIER=avx512 makes it fail on a machine that cannot run that classifier.
    """
    debian(session, "qemu-x86_64")
    session.install(*group("release"), *group("test"))
    # The tests do the same; here it does not count for the limit.
    run(session, "python", "-m", "tools.build", "--werror", "--out", "build/dist")
    pytest_with_this_tree(session, "tests/emulated", limit=EMULATED_LIMIT)


@nox.session
def audit(session: nox.Session) -> None:
    """Audit wheels of other projects, from PyPI, of which it is known what is wrong with them."""
    session.install("pip", *group("release"), *group("test"))
    pytest_with_this_tree(session, "tests/audit_real")


@nox.session
def sanitize(session: nox.Session) -> None:
    """Run the functions under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer."""
    session.install(*group("develop"))
    # What starts processes is left out: they are given an environment of their own, without the sanitizer's libraries.
    tests = sorted(
        str(path) for path in Path("tests").glob("test_api_*.py") if "subprocess" not in path.read_text("utf-8")
    )
    classifier = session.posargs[0] if session.posargs else "avx2"  # what nearly every machine has
    session.env["NDKERNELS_CLASSIFIER"] = classifier
    run(session, *developed(classifier, "--sanitize", "address,undefined"), "python", "-m", "pytest", *tests)
    session.env["NDKERNELS_CLASSIFIER"] = "generic"
    concurrency = "tests/test_api_concurrency.py"
    run(session, *developed("generic", "--sanitize", "thread"), "python", "-m", "pytest", concurrency)


@nox.session
def browser(session: nox.Session) -> None:
    """Click through the selector page in headless Chromium."""
    debian(session, "chromium", "chromedriver", "npm")
    session.install(*group("acceptance"), *group("browser"))
    pytest_with_this_tree(session, "tests/browser")


@nox.session
def pipelines(session: nox.Session) -> None:
    """Check the generated CI pipelines with actionlint, zizmor and the published schemas."""
    session.install(*group("acceptance"), *group("pipelines"))
    pytest_with_this_tree(session, "tests/pipelines")


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, mypy, clang-format and the check for drifted files."""
    session.install(*group("release"), *group("test"), *group("lint"))
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
def release(session: nox.Session) -> None:
    """Build, repair, assemble, check and publish everything that this machine can build, in build/index."""
    session.install(*group("release"))
    run(session, "python", "-m", "tools.release", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build all wheels that this machine can build into dist/."""
    session.install(*group("build"))
    run(session, "python", "-m", "tools.build", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure start-up and matmul beside the peers and write benchmarks/results/."""
    session.install(*group("build"), *group("bench"))
    run(session, "python", "-m", "tools.build", "--out", "build/dist")
    install_wheels(session)
    session.run("python", "benchmarks/startup.py", *session.posargs)
    session.run("python", "benchmarks/matmul.py", *session.posargs)


@nox.session
def bench_blas(session: nox.Session) -> None:
    """Measure matmul by the own kernels, OpenBLAS and MKL, taking turns, and write benchmarks/results/."""
    session.install(*group("build"), *group("bench-blas"))
    run(session, "python", "-m", "tools.build", "--out", "build/dist")
    install_wheels(session)
    session.run("python", "benchmarks/blas.py", *session.posargs)


@nox.session
def bench_onednn(session: nox.Session) -> None:
    """Measure matmul by the own kernels and by oneDNN, which the rules in classifiers.toml come from."""
    session.install(*group("develop"), *group("onednn"))
    classifier = session.posargs[0] if session.posargs else "onednn-avx512"
    dtypes = ("int8", "bfloat16", "float32")
    command = ("python", "benchmarks/blas.py", "--helpers", "onednn", "--dtypes", *dtypes)
    run(session, *developed(classifier), *command)


@nox.session
def bench_kernels(session: nox.Session) -> None:
    """Measure every kernel beside NumPy, torch and onnxruntime: a table, JSON and a chart in build/bench."""
    session.install(*group("build"), *group("bench-kernels"))
    install_torch(session)
    run(session, "python", "-m", "tools.build", "--out", "build/dist")
    install_wheels(session)
    run(session, "python", "-m", "tools.bench", *session.posargs)


@nox.session
def bench_release(session: nox.Session) -> None:
    """Measure a release, beside building each classifier for each Python separately, and an index of many."""
    session.install(*group("release"))
    session.install("--no-deps", "-e", "./python")
    run(session, "python", "benchmarks/release.py", *session.posargs)


@nox.session
def bench_audit(session: nox.Session) -> None:
    """Measure how fast machine code is audited, on large files of other projects."""
    session.install(*group("release"), *group("bench"))
    session.install("--no-deps", "-e", "./python")
    session.run("python", "benchmarks/audit.py", *session.posargs)


def developed(*arguments: str) -> tuple[str, ...]:
    """Return the beginning of a command that runs with what is built in place."""
    return ("python", "-m", "tools.develop", *arguments, "--")


def run(session: nox.Session, *command: str) -> None:
    """Run a command that cleans up after Ctrl-C itself; nox would give it half a second for that."""
    session.run(*command, interrupt_timeout=20, terminate_timeout=20)


def pytest_with_this_tree(session: nox.Session, folder: str, *, limit: int = 0) -> None:
    """Run the tests in a folder with the variantkit of this tree; what is tested runs in environments of its own.

    They fail where they take longer than `limit` seconds.
    """
    session.install("--no-deps", "-e", "./python")
    limited = ["python", "-m", "tools.limited", str(limit)] if limit else []
    run(session, *limited, "pytest", folder, *session.posargs)


def debian(session: nox.Session, *commands: str) -> None:
    """Install the Debian packages of commands that are not there, or say what is missing; it is never passed over."""
    packages = {"chromedriver": "chromium-driver", "qemu-x86_64": "qemu-user"}
    missing = [packages.get(command, command) for command in commands if shutil.which(command) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        session.error(f"{', '.join(missing)} is missing; on Debian and Ubuntu: apt install {' '.join(missing)}")
    session.run("apt-get", "update", "--quiet", "--quiet", external=True)
    session.run(
        "apt-get", "install", "--quiet", "--quiet", "--yes", "--no-install-recommends", *missing,
        external=True, env={"DEBIAN_FRONTEND": "noninteractive"},
    )  # fmt: skip


def native_sources() -> list[str]:
    """Return the C++ files of this tree."""
    files = [path for folder in ("native", "tests") for path in Path(folder).rglob("*")]
    return sorted(str(path) for path in files if path.suffix in {".c", ".cpp", ".cu", ".h", ".hpp"})


def install_torch(session: nox.Session) -> None:
    """Install torch with pip, which may be configured to know a build of it without CUDA; uv would fetch gigabytes."""
    session.run("python", "-m", "pip", "install", "--quiet", "torch==2.13.0")


def install_wheels(session: nox.Session) -> None:
    """Install the wheels in build/dist, with every classifier; what they need is there already, so no index is asked."""
    # Reinstalled, since a rebuilt wheel has the same version as the one before.
    ours = ["variantkit", "ndkernels", *(f"ndkernels-{name}" for name in CLASSIFIERS)]
    session.install(
        "--no-index", "--find-links", "build/dist", *(f"--reinstall-package={name}" for name in ours),
        f"ndkernels[all]=={VERSION}", "variantkit[build]",
    )  # fmt: skip
