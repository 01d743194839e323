"""The bill of materials in a wheel."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tiny_wheels import TIME, wheel
from variantkit.sbom import NATIVE, add_sbom
from variantkit.wheel import Wheel

EXTENSION = "demo-1.0-cp311-cp311-linux_x86_64.whl"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that needs something installed, something that is not, and tools, to be built."""
    requires = ["scikit-build-core>=1.1", "Packaging[x]>=24 ; python_version>'3'", "packaging", "not-there==1", "ninja"]
    (tmp_path / "pyproject.toml").write_text(f"[build-system]\nrequires = {json.dumps(requires)}\n")
    return tmp_path


def sbom(path: Path, distribution: str = "demo") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        Wheel(path).read(f"{distribution}-1.0.dist-info/sboms/{distribution}.cdx.json")
    )
    return document


def test_native_files_and_what_is_compiled_into_them(project: Path) -> None:
    files = {"demo/_binding.so": b"binding", "demo/lib/libx.so.1.2": b"x", "demo/data.so.txt": b"", "demo/a.py": b""}
    path = wheel(project, EXTENSION, files, lines=["License-Expression: Apache-2.0"])
    add_sbom(path, project)
    document = sbom(path)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    version = metadata.version("packaging")
    assert [(each["type"], each["name"]) for each in document["components"]] == [
        ("library", "packaging"),
        ("file", "demo/_binding.so"),
        ("file", "demo/lib/libx.so.1.2"),
    ]
    library, binding, _ = document["components"]
    assert library["purl"] == f"pkg:pypi/packaging@{version}"
    assert binding["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"binding").hexdigest()}]
    assert document["metadata"]["component"] == {
        "type": "library",
        "bom-ref": "pkg:pypi/demo@1.0",
        "name": "demo",
        "version": "1.0",
        "purl": "pkg:pypi/demo@1.0",
        "licenses": [{"expression": "Apache-2.0"}],
    }


def test_every_reference_is_there_once_and_leads_to_something(project: Path) -> None:
    path = wheel(project, EXTENSION, {"demo/_binding.so": b"binding"})
    add_sbom(path, project)
    document = sbom(path)
    refs = [document["metadata"]["component"]["bom-ref"]]
    refs += [each["bom-ref"] for each in [*document["components"], *document["metadata"]["tools"]["components"]]]
    assert len(set(refs)) == len(refs)
    (own,) = document["dependencies"]
    assert own["ref"] == refs[0]
    assert own["dependsOn"] == [each["bom-ref"] for each in document["components"]]


def test_a_tool_lists_itself_once(project: Path) -> None:
    version = metadata.version("scikit-build-core")
    path = wheel(project, f"scikit_build_core-{version}-py3-none-any.whl")
    add_sbom(path, project)
    name = f"scikit_build_core-{version}.dist-info/sboms/scikit_build_core.cdx.json"
    document = json.loads(Wheel(path).read(name))
    assert "scikit-build-core" in [each["name"] for each in document["metadata"]["tools"]["components"]]
    refs = [each["bom-ref"] for each in document["metadata"]["tools"]["components"]]
    assert document["metadata"]["component"]["bom-ref"] not in refs


def test_a_library_without_python_has_nothing_of_a_binding_generator(project: Path) -> None:
    path = wheel(project, "demo-1.0-py3-none-linux_x86_64.whl", {"demo/libdemo.so": b"library"})
    add_sbom(path, project)
    assert [each["name"] for each in sbom(path)["components"]] == ["demo/libdemo.so"]


def test_the_wheel_is_whole_and_says_nothing_of_the_day(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wheel(project, EXTENSION, {"demo/_binding.so": b"binding"})
    before = dict(Wheel(path).entries)
    add_sbom(path, project)
    once = path.read_bytes()
    assert Wheel(path).defects() == []
    assert Wheel(path).time == TIME
    assert {name: entry for name, entry in Wheel(path).entries.items() if "/sboms/" not in name} == before
    other = wheel(project / "elsewhere", EXTENSION, {"demo/_binding.so": b"binding"})
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    add_sbom(other, project)
    assert other.read_bytes() == once
    add_sbom(path, project)
    assert path.read_bytes() == once


def test_a_version_with_a_plus_is_quoted_where_it_is_in_an_address(project: Path) -> None:
    path = wheel(project, "demo-1.0+cpu-py3-none-any.whl")
    add_sbom(path, project)
    document = json.loads(Wheel(path).read("demo-1.0+cpu.dist-info/sboms/demo.cdx.json"))
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/demo@1.0%2Bcpu"
    assert document["metadata"]["component"]["version"] == "1.0+cpu"


def test_a_project_without_build_requirements(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    path = wheel(tmp_path, EXTENSION)
    add_sbom(path, tmp_path)
    assert sbom(path)["components"] == []
    assert sbom(path)["metadata"]["component"]["licenses"] == []


@pytest.mark.parametrize(
    "name", ["a.so", "a/b.so.1", "a.so.1.2.3", "a.pyd", "a.dll", "lib/a.dylib", "a.cpython-311.so"]
)
def test_what_holds_machine_code(name: str) -> None:
    assert NATIVE.fullmatch(name)


@pytest.mark.parametrize("name", ["a.py", "so", ".so", "a.so.txt", "a.soo", "a.so.", "a.a", "a.so/b"])
def test_what_does_not(name: str) -> None:
    assert not NATIVE.fullmatch(name)
