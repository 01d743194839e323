"""The project of a classifier wheel, generated from the base project's pyproject.toml and classifiers.toml.

scikit-build-core reads one `pyproject.toml` with one name. A classifier wheel is a distribution of its own, so its
project is written to `build/projects/<label>/`: the base's metadata with another name, no Python packages, and the same
native tree.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from variantkit.errors import MatrixError
from variantkit.files import write_atomically
from variantkit.matrix import read_matrix, read_pyproject

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.matrix import Matrix, Row

__all__ = ["write_classifier_project"]

# Metadata that a classifier wheel has in common with the base wheel.
_SHARED = ("version", "requires-python", "license", "license-files", "authors", "maintainers", "classifiers", "urls")


def write_classifier_project(root: Path, classifier: str) -> Path:
    """Write the project of `classifier` under `root` and return its directory.

    Raises `MatrixError` when classifiers.toml has no such row.
    """
    import tomli_w

    matrix = read_matrix(root / "classifiers.toml")
    row = matrix.row(classifier)
    pyproject = read_pyproject(root)
    directory = root / "build" / "projects" / row.label
    directory.mkdir(parents=True, exist_ok=True)

    for pattern in pyproject["project"].get("license-files", []):
        for source in root.glob(pattern):
            target = directory / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    write_atomically(directory / "README.md", _readme(matrix, row))
    table = {
        "build-system": {"requires": pyproject["build-system"]["requires"], "build-backend": "scikit_build_core.build"},
        "project": _metadata(matrix, row, pyproject["project"]),
        "tool": {"scikit-build": _settings(row, pyproject, root, directory)},
    }
    write_atomically(
        directory / "pyproject.toml", "# Generated from the base project; do not edit.\n" + tomli_w.dumps(table)
    )
    return directory


def _metadata(matrix: Matrix, row: Row, base: dict[str, Any]) -> dict[str, Any]:
    distribution = matrix.project.distribution
    if "version" not in base:
        msg = (
            "pyproject.toml: [project] version is missing; classifier wheels are pinned to it, so it has to be static."
        )
        raise MatrixError(msg)
    return {
        "name": f"{distribution}-{row.name}",
        "description": f"The {row.name} binary of {distribution}: {row.summary}",
        "readme": "README.md",
        "dependencies": [f"{distribution}=={base['version']}", *row.requires],
        **{key: base[key] for key in _SHARED if key in base},
    }


def _settings(row: Row, pyproject: dict[str, Any], root: Path, directory: Path) -> dict[str, Any]:
    base: dict[str, Any] = pyproject.get("tool", {}).get("scikit-build", {})
    cmake = dict(base.get("cmake", {}))
    source = root / cmake.get("source-dir", ".")
    cmake["source-dir"] = os.path.relpath(source, directory)
    cmake["define"] = {**cmake.get("define", {}), "VARIANTKIT_WHEEL": row.name}
    # py3-none: the library knows nothing of Python, so it is built once and not once per interpreter.
    return {
        **{key: value for key, value in base.items() if key in {"minimum-version", "ninja", "build", "install"}},
        "cmake": cmake,
        "wheel": {"packages": [], "py-api": "py3", "platlib": True},
    }


def _readme(matrix: Matrix, row: Row) -> str:
    distribution = matrix.project.distribution
    return (
        f"# {distribution}-{row.name}\n\n"
        f"The `{row.name}` binary of [{distribution}](../{distribution}/): {row.summary}.\n\n"
        f"It holds one kernel library and no Python code. Install it with\n\n"
        f'    python -m pip install "{distribution}[{row.name}]"\n\n'
        f"and `import {matrix.project.package}` loads it where the machine can run it.\n"
    )
