"""`python -m tools.develop`: build kernel libraries and the binding in place, and run a command with them.

Only what has changed is compiled again. The Python files are those of this tree, so that an edit needs no build.

  python -m tools.develop -- python -c "import ndkernels; ndkernels.show_config()"
  python -m tools.develop avx2 -- python -m pytest tests/test_api_softmax.py
  python -m tools.develop generic --sanitize address,undefined -- python -m pytest tests/test_api_softmax.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from . import ROOT

if TYPE_CHECKING:
    from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SANITIZERS = {"address,undefined": "libasan.so", "thread": "libtsan.so"}
# Python keeps memory until it ends, which is no leak; a child that forks from threads is what the tests do on purpose.
_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:strict_init_order=1:alloc_dealloc_mismatch=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": f"die_after_fork=0:halt_on_error=1:suppressions={ROOT / 'tests' / 'data' / 'tsan.txt'}",
}


def main(arguments: list[str]) -> int:
    """Build, and return the exit status of the command."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    options = _parser().parse_args(arguments[:place])
    command = arguments[place + 1 :]
    from variantkit.matrix import read_matrix

    matrix = read_matrix(ROOT)
    known = [row.name for row in matrix.rows]
    for name in options.classifiers:
        if name not in known:
            print(f"{name}: is not a classifier of classifiers.toml; accepted are {', '.join(known)}", file=sys.stderr)
            return 2
    missing = [each for each in ("cmake", "ninja") if shutil.which(each) is None]
    if missing:
        print(f"{' and '.join(missing)} not found; run: python -m pip install --group develop", file=sys.stderr)
        return 2
    base = matrix.project.base
    names = list(dict.fromkeys((base, *(options.classifiers or known))))
    folder = ROOT / "build" / "develop" / (options.sanitize.replace(",", "-") or "plain")
    try:
        site = _build(folder, names, base, options.sanitize)
    except subprocess.CalledProcessError as error:
        return error.returncode
    environ = _environ(site, options.sanitize)
    if not command:
        print("\n".join(f"export {name}='{value}'" for name, value in environ.items()))
        return 0
    if command[0] in {"python", "python3"}:
        command[0] = sys.executable
    try:
        return subprocess.run(command, check=False, env={**os.environ, **environ}).returncode
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.develop",
        usage="%(prog)s [-h] [--sanitize WHAT] [CLASSIFIER ...] [-- COMMAND ...]",
        description=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("classifiers", nargs="*", metavar="CLASSIFIER", help="default: all of classifiers.toml")
    parser.add_argument("--sanitize", default="", choices=["", *_SANITIZERS], help=" or ".join(_SANITIZERS))
    return parser


def _build(folder: Path, names: list[str], base: str, sanitize: str) -> Path:
    """Build what has changed and return the folder that Python imports it from."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    site = folder / "site"
    package = site / "ndkernels"
    (package / "classifiers").mkdir(parents=True, exist_ok=True)
    for name in names:
        label = name.replace("-", "_")
        _cmake(
            folder / name,
            folder / "installed" / label,
            VARIANTKIT_WHEEL=name,
            VARIANTKIT_VERSION=version,
            NDK_SANITIZE=sanitize,
        )
        library = folder / "installed" / label / f"ndkernels_{label}"
        _link(library, package / "classifiers" / name if name == base else site / library.name)
    binding = folder / "binding"
    _cmake(
        binding, None, VARIANTKIT_WHEEL="base", VARIANTKIT_VERSION=version, NDK_SANITIZE=sanitize,
        VARIANTKIT_PREBUILT_DIR=str(package / "classifiers"), Python_EXECUTABLE=sys.executable,
    )  # fmt: skip
    for path in ((ROOT / "python" / "ndkernels").iterdir(), binding.glob("binding/_binding.*.so")):
        for each in path:
            if each.name != "__pycache__":
                _link(each, package / each.name)
    _link(ROOT / "python" / "variantkit", site / "variantkit")
    return site


def _cmake(build: Path, prefix: Path | None, **definitions: str) -> None:
    if not (build / "build.ninja").is_file():
        settings = {
            "CMAKE_BUILD_TYPE": "Release",
            "CMAKE_COMPILE_WARNING_AS_ERROR": "ON",
            "CMAKE_EXPORT_COMPILE_COMMANDS": "ON",
        }
        defines = [f"-D{name}={value}" for name, value in (settings | definitions).items()]
        subprocess.run(
            ["cmake", "-S", ROOT / "native", "-B", build, "-G", "Ninja", *defines], check=True, stdout=sys.stderr
        )
    subprocess.run(["cmake", "--build", build], check=True, stdout=sys.stderr)
    if prefix is not None:
        subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)


def _link(target: Path, link: Path) -> None:
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    link.symlink_to(target)


def _environ(site: Path, sanitize: str) -> dict[str, str]:
    environ = {"PYTHONPATH": str(site), "NDKERNELS_WARN": "0"}  # which classifiers there are was asked for
    if sanitize:
        # libstdc++ too: a sanitizer that is there before it finds no function to throw exceptions with.
        preload = " ".join(map(_runtime_library, (_SANITIZERS[sanitize], "libstdc++.so")))
        environ |= _OPTIONS | {"LD_PRELOAD": preload, "PYTHONMALLOC": "malloc"}
    return environ


def _runtime_library(name: str) -> str:
    command = [os.environ.get("CC", "cc"), f"-print-file-name={name}"]
    return os.path.realpath(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
