from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest

from hosts import CATALOGUE
from variantkit.installer import command, installer_name


@pytest.mark.parametrize(
    ("installer", "extra", "repair", "expected"),
    [
        ("pip", "avx2", False, 'python -m pip install "gizmo-kit[avx2]"'),
        ("pip", None, False, "python -m pip install gizmo-kit"),
        ("pip", "avx2", True, "python -m pip install --force-reinstall --no-deps gizmo-kit-avx2==1.2.0"),
        ("pip", None, True, "python -m pip install --force-reinstall --no-deps gizmo-kit==1.2.0"),
        ("", "avx2", False, 'python -m pip install "gizmo-kit[avx2]"'),
        ("something new", "avx2", False, 'python -m pip install "gizmo-kit[avx2]"'),
        ("uv", "avx2", False, 'uv pip install "gizmo-kit[avx2]"'),
        ("uv", "avx2", True, "uv pip install --reinstall --no-deps gizmo-kit-avx2==1.2.0"),
        ("Poetry 1.8.2", "avx2", False, 'poetry add "gizmo-kit[avx2]"'),
        ("pdm", "avx2", False, 'pdm add "gizmo-kit[avx2]"'),
        ("uv-pixi", "avx2", False, 'pixi add --pypi "gizmo-kit[avx2]"'),
        ("conda", "avx2", False, "conda install gizmo-kit-avx2"),
        ("conda", "avx2", True, "conda install --force-reinstall gizmo-kit-avx2=1.2.0"),
    ],
)
def test_the_command_is_in_the_words_of_the_installer(
    installer: str, extra: str | None, repair: bool, expected: str
) -> None:
    environ = {"PATH": str(Path(sys.executable).parent), "VIRTUAL_ENV": sys.prefix}
    assert command(CATALOGUE, extra, repair=repair, installer=installer, environ=environ) == expected


@pytest.mark.parametrize(
    ("installer", "repair", "requirement", "expected"),
    [
        ("pip", False, "gizmo-blas>=1,<2", 'python -m pip install "gizmo-blas>=1,<2"'),
        ("pip", True, "gizmo-blas==1.3", "python -m pip install --force-reinstall --no-deps gizmo-blas==1.3"),
        ("uv", True, "gizmo-blas==1.3", "uv pip install --reinstall --no-deps gizmo-blas==1.3"),
        ("pdm", False, "gizmo-blas>=1,<2", 'pdm add "gizmo-blas>=1,<2"'),
        ("conda", False, "gizmo-blas>=1,<2", 'python -m pip install "gizmo-blas>=1,<2"'),
        ("conda", True, "gizmo-blas==1.3", "python -m pip install --force-reinstall --no-deps gizmo-blas==1.3"),
    ],
)
def test_a_library_of_somebody_else(installer: str, repair: bool, requirement: str, expected: str) -> None:
    environ = {"PATH": str(Path(sys.executable).parent), "VIRTUAL_ENV": sys.prefix}
    found = command(CATALOGUE, repair=repair, requirement=requirement, installer=installer, environ=environ)
    assert found == expected


def fake_python(folder: Path) -> Path:
    folder.mkdir(parents=True)
    path = folder / "python"
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def pip(environ: dict[str, str]) -> str:
    return command(CATALOGUE, "avx2", installer="pip", environ=environ).removesuffix(
        ' -m pip install "gizmo-kit[avx2]"'
    )


def test_python_is_a_path_where_that_word_means_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, ours = fake_python(tmp_path / "other"), fake_python(tmp_path / "ours")
    monkeypatch.setattr(sys, "executable", str(ours))
    path = os.pathsep.join([str(tmp_path / "gone"), str(ours.parent), str(other.parent)])
    assert pip({"PATH": path}) == "python"
    assert pip({"PATH": os.pathsep.join([str(other.parent), str(ours.parent)])}) == str(ours)
    assert pip({}) == str(ours)


def test_two_environments_share_one_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fake_python(tmp_path / "real")
    links = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        links.append(tmp_path / name / "python")
        links[-1].symlink_to(real)
    monkeypatch.setattr(sys, "executable", str(links[1]))
    assert pip({"PATH": str(links[0].parent)}) == str(links[1])


def test_a_path_with_spaces_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = fake_python(tmp_path / "my tools")
    monkeypatch.setattr(sys, "executable", str(ours))
    assert pip({}) == f'"{ours}"'
    uv = command(CATALOGUE, "avx2", installer="uv", environ={"VIRTUAL_ENV": "/elsewhere"})
    assert uv == f'uv pip install --python "{ours}" "gizmo-kit[avx2]"'


def test_a_frozen_application_is_not_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/app/app")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert pip({}) == "python"
    assert command(CATALOGUE, "avx2", installer="uv", environ={}) == 'uv pip install "gizmo-kit[avx2]"'


def test_an_embedded_interpreter_has_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    assert pip({}) == "python"


def test_the_installer_is_read_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("gizmo")
    module.__file__ = str(tmp_path / "gizmo" / "__init__.py")
    monkeypatch.setitem(sys.modules, "gizmo", module)
    info = tmp_path / "gizmo_kit-1.2.0.dist-info"
    info.mkdir()
    (info / "INSTALLER").write_text("uv\n", encoding="utf-8")
    assert installer_name(CATALOGUE) == "uv"


def test_an_editable_install_is_found_by_its_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "gizmo_kit-1.2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gizmo-kit\nVersion: 1.2.0\n", encoding="utf-8")
    (info / "INSTALLER").write_text("pdm\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert installer_name(CATALOGUE) == "pdm"


def test_a_missing_installer_is_no_error() -> None:
    assert installer_name(CATALOGUE) == ""
