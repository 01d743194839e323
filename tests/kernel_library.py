"""Kernel libraries for the tests of the binding."""

from __future__ import annotations

import subprocess
from pathlib import Path

import ndkernels

ROOT = Path(__file__).resolve().parent.parent


def installed_library() -> Path:
    """The library that is loaded in this process."""
    return Path(ndkernels.show_config("dicts")["path"])


def build_probe(compiler: str, folder: Path, *more_options: str, **definitions: str) -> str:
    """Compile the library that reports what the host services did."""
    path = folder / "libprobe.so"
    defines = [f"-D{name}={value}" for name, value in definitions.items()]
    source = ROOT / "tests" / "data" / "libraries" / "probe.c"
    options = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-shared", "-fPIC", *more_options]
    include = f"-I{ROOT / 'native' / 'include'}"
    subprocess.run([compiler, *options, include, *defines, str(source), "-o", str(path)], check=True)
    return str(path)
