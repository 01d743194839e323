"""Lock files: written on one machine, installed on others.

uv's requirements files carry variants; its `uv.lock` and pylock.toml do not, which is why there is `tools.lock`. Where one
of the limitations asserted here is gone, uv has learnt it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from environments import Environment
from index_server import IndexServer
from machines import VARIANT_OF, Uv, installed_label, level_here, loaded_here
from releases import Release, Tool

HERE = VARIANT_OF.get(level_here(), "null")
BEST = VARIANT_OF.get(level_here(), "generic")
LEVELS = ["x86-64-v2", "x86-64-v3", "x86-64-v4"]


def compiled(uv: Uv, environment: Environment, index: IndexServer, folder: Path, *words: str, **options: Any) -> Path:
    """Lock `ndkernels` with its hashes; what else is needed is from PyPI, and is what the environment has."""
    asked = folder / "requirements.in"
    asked.write_text("ndkernels\n", encoding="utf-8")
    written = folder / "requirements.txt"
    uv(
        "pip", "compile", "--python", str(environment.python), "--generate-hashes", "--index", index.simple,
        "--output-file", str(written), *words, str(asked), cwd=folder, **options,
    )  # fmt: skip
    return written


def hashes_of(text: str, project: str) -> set[str]:
    lines = re.search(rf"(?m)^{project}==[^\\\n]*(?:\\\n[^\\\n]*)*", text)
    assert lines
    return set(re.findall(r"sha256:([0-9a-f]{64})", lines[0]))


@pytest.mark.parametrize("level", LEVELS)
def test_one_requirements_file_for_all_machines(
    copies: Callable[[str], Environment], served: IndexServer, release: Release, uv_here: Uv,
    uv_on: Callable[[str], Uv], tmp_path: Path, level: str,
) -> None:  # fmt: skip
    here, there = copies("here"), copies("there")
    written = compiled(uv_here, here, served, tmp_path, variants=True)
    listed = hashes_of(written.read_text(), "ndkernels")
    # Whatever it chose for itself, it lists what others will choose.
    files = release.files("ndkernels")
    assert listed == {file["hashes"]["sha256"] for name, file in files.items() if not name.endswith("-variants.json")}

    words = ["--require-hashes", "--index", served.simple, "--requirement", str(written)]
    uv = uv_on(level)
    uv.install(there, *words, variants=True)
    label = VARIANT_OF.get(level, "null")
    assert installed_label(there) == label
    # On the machine that wrote it, and without the preview.
    uv_here.install(here, *words)
    assert installed_label(here) is None
    uv_here.install(here, "--reinstall-package", "ndkernels", *words, variants=True)
    assert installed_label(here) == HERE
    assert loaded_here(here)["classifier"] == BEST


def test_pip_installs_from_a_requirements_file_that_lists_variants(
    fresh_environment: Environment, served_html: IndexServer, uv_here: Uv, tmp_path: Path
) -> None:
    written = compiled(uv_here, fresh_environment, served_html, tmp_path, variants=True)
    words = ["--require-hashes", "--extra-index-url", served_html.simple, "--requirement", str(written)]
    fresh_environment.pip("install", *words)
    assert installed_label(fresh_environment) is None
    assert loaded_here(fresh_environment)["classifier"] == "generic"


def test_a_requirements_file_that_was_written_without_the_preview(
    copies: Callable[[str], Environment], served_html: IndexServer, release: Release, uv_here: Uv,
    uv_on: Callable[[str], Uv], tmp_path: Path,
) -> None:  # fmt: skip
    written = compiled(uv_here, copies("here"), served_html, tmp_path)
    # It has the hashes of all wheels, too; and a machine that asks for variants gets its own.
    assert len(hashes_of(written.read_text(), "ndkernels")) == len(release.files("ndkernels")) - 1
    words = ["--require-hashes", "--index", served_html.simple, "--requirement", str(written)]
    there = copies("there")
    uv_on("x86-64-v4").install(there, *words, variants=True)
    assert installed_label(there) == "avx512"


def test_hashes_of_the_plain_wheels_alone_keep_variants_out(
    fresh_environment: Environment, served_html: IndexServer, release: Release, uv_here: Uv, tmp_path: Path
) -> None:
    written = compiled(uv_here, fresh_environment, served_html, tmp_path)
    plain = {
        file["hashes"]["sha256"] for name, file in release.files("ndkernels").items() if name.endswith("_x86_64.whl")
    }
    text = written.read_text()
    for other in hashes_of(text, "ndkernels") - plain:
        text = re.sub(rf" *--hash=sha256:{other}(?: \\\n)?", "", text)
    written.write_text(re.sub(r" \\\n(?! *--hash)", "\n", text))
    assert hashes_of(written.read_text(), "ndkernels") == plain
    words = ["--require-hashes", "--index", served_html.simple, "--requirement", str(written)]
    uv_here.install(fresh_environment, *words, variants=True)
    assert installed_label(fresh_environment) is None


def project(folder: Path, index: IndexServer, python: str) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f"""
[project]
name = "of-a-user"
version = "1"
requires-python = ">={python}"
dependencies = ["ndkernels"]

[tool.uv]
package = false

[[tool.uv.index]]
name = "ours"
url = "{index.simple}"
""",
        encoding="utf-8",
    )
    return folder


@pytest.mark.parametrize("variants", [False, True])
def test_uv_lock_has_no_variants_and_uv_sync_takes_the_plain_wheel(
    copies: Callable[[str], Environment], served_html: IndexServer, uv_here: Uv, tmp_path: Path, variants: bool
) -> None:
    folder = project(tmp_path / "project", served_html, "3.10")
    environment = copies("project/.venv")
    python = ["--python", str(environment.python)]
    uv_here("lock", *python, cwd=folder, variants=variants)
    locked = (folder / "uv.lock").read_text(encoding="utf-8")
    assert "ndkernels-" in locked
    assert re.findall(r"-(?:avx2|avx512|null)\.whl|variants", locked) == []
    uv_here("sync", *python, cwd=folder, variants=variants)
    assert installed_label(environment) is None


def test_pylock(
    copies: Callable[[str], Environment], served_html: IndexServer, release: Release, uv_here: Uv, run_tool: Tool,
    tmp_path: Path,
) -> None:  # fmt: skip
    environment = copies("env")
    asked = tmp_path / "requirements.in"
    asked.write_text("ndkernels\n", encoding="utf-8")
    written = tmp_path / "pylock.toml"
    words = ["pip", "compile", "--python", str(environment.python), "--index", served_html.simple]
    words += ["--output-file", str(written), str(asked)]
    result = uv_here(*words, cwd=tmp_path, variants=True, check=False)
    assert result.returncode == 2
    assert "resolved to a wheel variant, which pylock.toml export does not support" in result.stderr
    assert not written.exists()

    uv_here(*words, cwd=tmp_path)
    assert "-avx2.whl" not in written.read_text(encoding="utf-8")
    run_tool("tools.lock", written, "--index", served_html.simple)
    text = written.read_text(encoding="utf-8")
    for label in ("avx2", "avx512", "null"):
        assert release.files("ndkernels")[release.wheel("ndkernels", label).name]["hashes"]["sha256"] in text
    assert "variants-json" in text
    for variants in (False, True):
        other = copies(f"other-{variants}")
        uv_here.install(other, "--requirement", str(written), variants=variants, check=True)
        assert installed_label(other) is None
        assert loaded_here(other)["classifier"] == "generic"
