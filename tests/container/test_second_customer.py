"""Another project, with its backend from an installed variantkit: interrupted, failing, and then built."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from containers import Built, build_command, containers
from environments import Environment

SHOW = """
import json, warnings
warnings.simplefilter("ignore")
import saxpy
print(json.dumps({"loaded": saxpy.LOADED.classifier, "compiled": saxpy.compiled_for(), "y": saxpy.saxpy(2, [1, 2], [10, 20])}))
"""


def command(project: Path, *arguments: str) -> list[str]:
    """Return the command that builds the project; `--root` names it, so that this tree's variantkit does it."""
    return build_command("--root", str(project), *arguments)


def test_interrupted_it_leaves_nothing_and_goes_on(
    small_project: tuple[Path, dict[str, str]], root: Path, built: Built, fresh_environment: Environment
) -> None:
    project, environ = small_project
    before = containers(environ)
    process = subprocess.Popen(
        command(project), cwd=root, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no threads here
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while len(containers(environ)) == len(before) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.poll() is None, process.communicate()
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "interrupted; nothing is left half-done" in errors
    assert "Traceback" not in errors
    assert containers(environ) == before
    assert list((project / "dist").glob("saxpy*")) == []
    assert list((project / "build" / "wheels").glob("container-*/.*")) == []

    done = subprocess.run(command(project), cwd=root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert containers(environ) == before
    names = sorted(path.name.partition("-manylinux")[0] for path in (project / "dist").glob("saxpy*"))
    assert names == ["saxpy-1.2.3-py3-none", "saxpy_fast_v2-1.2.3-py3-none"]

    links = ["--find-links", str(project / "dist"), "--find-links", str(built.avx2.parent)]
    fresh_environment.pip("install", "--no-index", *links, "saxpy[fast-v2]")
    assert fresh_environment.json(SHOW) == {"loaded": "fast-v2", "compiled": "fast-v2", "y": [12, 24]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "saxpy.cpp:1:1: error"),
        ({"CIBW_MANYLINUX_X86_64_IMAGE": "localhost/there-is-no-such-image"}, "there-is-no-such-image"),
    ],
    ids=["compiler", "image"],
)
def test_what_fails_names_the_log_and_leaves_no_container(
    small_project: tuple[Path, dict[str, str]], root: Path, change: dict[str, str], words: str
) -> None:
    project, environ = small_project
    before = containers(environ)
    (project / "saxpy.cpp").write_text("this is not C++;\n")
    result = subprocess.run(
        command(project, "--classifiers", "fast-v2"),
        cwd=root, env=environ | change, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert words in result.stderr
    assert "The whole output is in" in result.stderr
    assert "Traceback (most recent call last)\n  File" not in result.stderr
    assert containers(environ) == before
    assert list((project / "dist").glob("saxpy*")) == []
