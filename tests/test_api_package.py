"""The package itself: what it imports, what it tells about itself, and its documentation."""

from __future__ import annotations

import doctest
import importlib
import inspect
import json
import shutil
import subprocess
import sys
import typing
from types import SimpleNamespace

import pytest

import ndkernels
import ndkernels._contractions
import ndkernels._elementwise
import ndkernels.typing
from environments import clean_environ
from hosts import Tree
from ndkernels._catalogue import CATALOGUE
from ndkernels._config import _text
from variantkit.environment import Settings
from variantkit.host import detect
from variantkit.loader import resolve
from variantkit.report import Package, gather

if typing.TYPE_CHECKING:
    from pathlib import Path

FUNCTIONS = ("add", "divide", "exp", "matmul", "maximum", "multiply", "relu", "subtract", "sum")


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**clean_environ(), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_import_brings_in_nothing_heavy() -> None:
    heavy = (
        "numpy", "typing", "dataclasses", "re", "json", "logging", "pathlib", "enum", "platform", "ctypes", "inspect",
        "importlib.util", "importlib.metadata", "subprocess", "threading",
    )  # fmt: skip
    code = "import sys; before = set(sys.modules); import ndkernels; print(*sorted(set(sys.modules) - before))"
    imported = run(code, NDKERNELS_WARN="0").stdout.split()
    assert "ndkernels._binding" in imported
    assert [name for name in imported if name in heavy] == []


def test_numpy_is_imported_by_the_first_call() -> None:
    code = (
        "import sys, array, ndkernels; assert 'numpy' not in sys.modules; "
        "print(ndkernels.sum(array.array('d', [1, 2]))); assert 'numpy' in sys.modules"
    )
    assert run(code, NDKERNELS_WARN="0").stdout.strip() == "3.0"


def test_import_starts_no_thread() -> None:
    code = "import os, ndkernels; print(len(os.listdir('/proc/self/task')))"
    assert run(code, NDKERNELS_WARN="0").stdout.strip() == "1"


def test_show_config_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    ndkernels.show_config()
    text = capsys.readouterr().out
    config = ndkernels.show_config("dicts")
    for value in (config["version"], config["classifier"], config["path"], config["host"]["platform"], "installed"):
        assert value in text
    assert "sse2" in text.split()


def test_show_config_as_dictionary() -> None:
    config = ndkernels.show_config(mode="dicts")
    assert json.loads(json.dumps(config)) == config
    assert config["version"] == ndkernels.__version__
    assert config["threads"] == ndkernels.get_num_threads()
    assert config["classifier"] in {item["classifier"] for item in config["installed"]}
    assert config["path"].endswith(".so")
    assert (config["install"] is None) == (config["better"] == [])


@pytest.mark.parametrize("change", ["cut short", "missing", "none"])
def test_show_config_says_what_detect_says(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = CATALOGUE.replace(
        package="gizmo",
        classifiers=tuple(row.replace(features=frozenset(), on_request=False) for row in CATALOGUE.classifiers),
    )
    tree = Tree(tmp_path, catalogue).install(*catalogue.names)
    best = max(catalogue.classifiers, key=lambda row: row.rank).name
    if change == "cut short":
        (tree.folder(best) / f"libgizmo_{best}.so").write_bytes(b"lib")
    elif change == "missing":
        shutil.rmtree(tree.folder(best))
    monkeypatch.delenv("NDKERNELS_CLASSIFIER", raising=False)
    host = detect()
    loaded = resolve(
        catalogue, package_dir=str(tree.package), host=host, settings=Settings(), search_path=(),
        open_library=lambda path: SimpleNamespace(abi=(1, 0)),
    )  # fmt: skip
    monkeypatch.setattr("ndkernels._config.loader.load", lambda package: loaded)
    config = ndkernels.show_config("dicts")
    report = gather(Package(catalogue, str(tree.package)), host)
    assert config["classifier"] == report["loaded"]["classifier"]
    assert config["install"] == report["command"]
    assert config["better"] == ([] if change == "none" else [report["recommended"]])
    text = _text(config)
    assert ("nothing: the best published classifier" in text) == (change == "none")
    assert (f"{best} (cannot be used as installed)" in text) == (change == "cut short")
    assert ("--no-deps" in text) == (change == "cut short")  # what pip and uv have in common to install it again


def test_show_config_refuses_another_mode() -> None:
    with pytest.raises(ValueError, match=r"mode: 'json' is unknown; accepted are 'stdout' and 'dicts'"):
        ndkernels.show_config("json")


def test_python_m_ndkernels() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ndkernels"], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0
    assert result.stdout.startswith("ndkernels\n")
    assert "reason" in result.stdout


def test_everything_public_is_there_and_documented() -> None:
    for name in ndkernels.__all__:
        member = getattr(ndkernels, name)
        assert name == "__version__" or inspect.getdoc(member), name


def test_signatures_are_those_of_the_array_api() -> None:
    for name in FUNCTIONS:
        function = getattr(ndkernels, name)
        parameters = inspect.signature(function).parameters.values()
        arrays = [each.name for each in parameters if each.kind is each.POSITIONAL_ONLY]
        options = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
        assert arrays in (["x"], ["x1", "x2"])
        assert options == (["axis", "keepdims", "out"] if name == "sum" else ["out"])
        assert function.__module__.startswith("ndkernels")


def test_the_examples_of_the_documentation_are_right() -> None:
    names = [name for name in dir(ndkernels) if inspect.isfunction(getattr(ndkernels, name))]
    modules = {importlib.import_module(getattr(ndkernels, name).__module__) for name in names}
    results = [doctest.testmod(module) for module in modules]
    assert sum(each.attempted for each in results) >= len(names)
    assert sum(each.failed for each in results) == 0


def test_the_protocol_can_be_imported() -> None:
    assert typing.get_type_hints(ndkernels.typing.SupportsDLPack.__dlpack_device__)["return"] == tuple[int, int]
