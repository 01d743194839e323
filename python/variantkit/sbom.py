"""The software bill of materials in a wheel: CycloneDX in `.dist-info/sboms/` (PEP 770).

It lists the native files with their hashes, what may be compiled into them, and the tools that built them. Nothing in it
depends on the day or the machine, so that the same wheel has the same list. https://cyclonedx.org/docs/1.6/json/,
https://peps.python.org/pep-0770/
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import urllib.parse
from importlib import metadata
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from variantkit.wheel import Entry, Wheel, write_wheel

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NATIVE", "add_sbom"]

NATIVE = re.compile(r".+\.(so(\.[0-9.]+)?|pyd|dll|dylib)")
"""The names of files that hold machine code."""

# These build; nothing of theirs is in what they have built. What else an environment has, the frontend for one, has no part
# in the bytes of a wheel, and so no place in a list that has to be the same everywhere.
_TOOLS = frozenset({"cmake", "ninja", "scikit-build-core", "variantkit"})


def add_sbom(path: Path, root: Path) -> None:
    """Add the list to the wheel in `path`, which was built by this interpreter from the project in `root`."""
    wheel = Wheel(path)
    document = _document(wheel, _build_requirements(root))
    name = f"{wheel.dist_info}/sboms/{wheel.name.distribution}.cdx.json"
    entries = {**wheel.entries, name: Entry(data=(json.dumps(document, indent=2) + "\n").encode())}
    write_wheel(path, entries, wheel.dist_info, wheel.time)


def _build_requirements(root: Path) -> list[str]:
    with (root / "pyproject.toml").open("rb") as file:
        requires = tomllib.load(file).get("build-system", {}).get("requires", [])
    names = (re.split(r"[\s;\[<>=!~(@]", text.strip(), maxsplit=1)[0] for text in requires)
    return list(dict.fromkeys(map(canonicalize_name, names)))


def _document(wheel: Wheel, requirements: list[str]) -> dict[str, Any]:
    name, version = wheel.name.project, wheel.name.version
    # A binding generator such as nanobind is compiled into an extension module; a library without Python has none of it.
    compiled_in = [each for each in requirements if each not in _TOOLS] if wheel.name.abi != "none" else []
    components = [_distribution(each) for each in compiled_in if _version(each)]
    components += [
        {
            "type": "file",
            "bom-ref": f"file:{file}",
            "name": file,
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.entries[file].data).hexdigest()}],
        }
        for file in sorted(wheel.files)
        if NATIVE.fullmatch(file)
    ]
    # Nothing refers to the tools, and a wheel of one of them has its reference already.
    tools = [{**_distribution(each), "bom-ref": f"tool:{each}"} for each in sorted(_TOOLS) if _version(each)]
    own = _purl(name, version)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": own,
                "name": name,
                "version": version,
                "purl": own,
                "licenses": _licences(wheel.metadata.get("License-Expression")),
            },
            "tools": {"components": tools},
        },
        "components": components,
        "dependencies": [
            {"ref": own, "dependsOn": [each["bom-ref"] for each in components]},
        ],
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _distribution(name: str) -> dict[str, Any]:
    version = _version(name)
    purl = _purl(name, version)
    licence = metadata.metadata(name).json.get("license_expression")
    return {
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "licenses": _licences(licence),
    }  # fmt: skip


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{urllib.parse.quote(version, safe='')}"


def _licences(expression: object) -> list[dict[str, str]]:
    return [{"expression": str(expression)}] if expression else []
