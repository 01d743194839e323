"""A lock file with variants, given to the tools that wrote it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from environments import Environment, clean_environ, uv
from tiny_index import serve, variant_document, wheel, write_pages
from variantkit.lock import lock

if TYPE_CHECKING:
    from collections.abc import Iterator

LABELS: dict[str, Any] = {"baseline": {"x86_64": {"level": ["v1"]}}, "null": {}}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    wheel(folder, "gizmo-kit", "1.2.0", requires=["plain-lib"])
    for label, properties in LABELS.items():
        wheel(folder, "gizmo-kit", "1.2.0", requires=["plain-lib"], label=label, variants=properties)
    (folder / "gizmo_kit-1.2.0-variants.json").write_text(json.dumps(variant_document(LABELS)), encoding="utf-8")
    wheel(folder, "plain-lib")
    write_pages(folder)
    return folder


@pytest.fixture
def address(files: Path) -> Iterator[str]:
    with serve(files) as found:
        yield f"{found}/simple/"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the pip that the documentation speaks of, to be copied."""
    folder = tmp_path_factory.mktemp("prepared") / "env"
    subprocess.run([uv(), "venv", "--quiet", str(folder)], check=True)
    Environment(folder).uv_install("--quiet", "pip==26.3")
    return folder


@pytest.fixture
def fresh(prepared: Path, tmp_path: Path) -> Environment:
    return Environment.copy(prepared, tmp_path / "fresh")


@pytest.fixture
def environ(address: str, tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in clean_environ().items() if not key.startswith(("PIP_", "UV_", "XDG_"))}
    return {
        **kept,
        "HOME": str(tmp_path),
        "NO_PROXY": "127.0.0.1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_INDEX_URL": address,
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_DEFAULT_INDEX": address,
    }


def run(
    words: list[str], folder: Path, environ: dict[str, str], *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert not check or done.returncode == 0, f"{words} gave {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


def write_lock_file(writer: str, folder: Path, fresh: Environment, environ: dict[str, str]) -> Path:
    """Have a lock file written by one of the tools that can."""
    path = folder / "pylock.toml"
    if writer == "uv pip compile":
        (folder / "requirements.in").write_text("gizmo-kit\n", encoding="utf-8")
        run([uv(), "pip", "compile", "requirements.in", "-o", path.name], folder, environ)
    elif writer == "uv export":
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.10"\ndependencies = ["gizmo-kit"]\n',
            encoding="utf-8",
        )
        run([uv(), "export", "--quiet", "--format", "pylock.toml", "-o", path.name], folder, environ)
    else:
        run([str(fresh.python), "-m", "pip", "lock", "gizmo-kit", "-o", path.name], folder, environ)
    return path


def label(fresh: Environment, environ: dict[str, str]) -> str:
    code = "import gizmo_kit, plain_lib; print(gizmo_kit.LABEL)"
    return run([str(fresh.python), "-c", code], fresh.folder, environ).stdout.strip()


@pytest.mark.parametrize("flag", ["", "wheel-variants"])
@pytest.mark.parametrize("writer", ["uv pip compile", "uv export", "pip lock"])
def test_uv_installs_the_plain_wheel_from_it(
    tmp_path: Path, fresh: Environment, environ: dict[str, str], address: str, writer: str, flag: str
) -> None:
    path = write_lock_file(writer, tmp_path, fresh, environ)
    lock(path, address)
    assert "baseline.whl" in path.read_text(encoding="utf-8")
    # No index: what is installed is what the file says. With the preview, uv does not choose from a lock file either.
    offline = {**environ, "UV_NO_INDEX": "1", **({"UV_PREVIEW_FEATURES": flag} if flag else {})}
    words = [uv(), "pip", "install", "--python", str(fresh.python), "-r", path.name]
    run(words, tmp_path, offline)
    assert label(fresh, environ) == "None"


def test_uv_syncs_the_plain_wheel_from_it(
    tmp_path: Path, fresh: Environment, environ: dict[str, str], files: Path
) -> None:
    """From paths too, which a folder gives."""
    path = write_lock_file("uv pip compile", tmp_path, fresh, environ)
    lock(path, str(files))
    run([uv(), "pip", "sync", "--python", str(fresh.python), path.name], tmp_path, environ)
    assert label(fresh, environ) == "None"


def test_pip_refuses_it_and_takes_the_one_without(
    tmp_path: Path, fresh: Environment, environ: dict[str, str], address: str
) -> None:
    """As the documentation says: keep both."""
    path = write_lock_file("uv pip compile", tmp_path, fresh, environ)
    other = tmp_path / "pylock.variants.toml"
    lock(path, address, other)
    words = [str(fresh.python), "-m", "pip", "install", "-r"]
    refused = run([*words, other.name], tmp_path, environ, check=False)
    assert refused.returncode != 0
    assert "Invalid wheel filename 'gizmo_kit-1.2.0-py3-none-any-baseline.whl'" in refused.stderr
    run([*words, path.name], tmp_path, environ)
    assert label(fresh, environ) == "None"


def test_without_a_lock_file_uv_chooses(tmp_path: Path, fresh: Environment, environ: dict[str, str]) -> None:
    """A proof that there was something to choose."""
    words = [uv(), "pip", "install", "--python", str(fresh.python), "--preview-features", "wheel-variants", "gizmo-kit"]
    run(words, tmp_path, environ)
    assert label(fresh, environ) == "baseline"
