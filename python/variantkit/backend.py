"""A PEP 517 backend: scikit-build-core's, plus one setting that says which wheel of a project to build.

Without the setting it is scikit-build-core and builds the base wheel. With `-C classifier=NAME` it builds the wheel of
that classifier: a distribution of another name (`<distribution>-<classifier>`), `py3-none-<platform>`, which holds one
kernel library. The project of such a wheel is generated next to the build tree, so there is one pyproject.toml to keep
and nothing is copied over it:

    python -m build --wheel                         # the base wheel
    python -m build --wheel -C classifier=avx2      # the wheel of the classifier avx2

In pyproject.toml:

    [build-system]
    requires = ["scikit-build-core", "variantkit[build]"]
    build-backend = "variantkit.backend"

Hooks: https://peps.python.org/pep-0517/, https://peps.python.org/pep-0660/
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from scikit_build_core import build as _scikit_build

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Settings = Mapping[str, "str | list[str]"]

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_wheel",
]

# What reading classifiers.toml and writing a project need. A build of the base wheel does neither.
_CLASSIFIER_REQUIRES = ("jsonschema>=4.20", "tomli-w>=1.1", "tomli>=2; python_version < '3.11'")

# These know no classifier: an sdist holds all of them, and an editable install is one of the base.
build_editable = _scikit_build.build_editable
build_sdist = _scikit_build.build_sdist
get_requires_for_build_editable = _scikit_build.get_requires_for_build_editable
get_requires_for_build_sdist = _scikit_build.get_requires_for_build_sdist


def build_wheel(
    wheel_directory: str, config_settings: Settings | None = None, metadata_directory: str | None = None
) -> str:
    """Build the base wheel, or that of the classifier in `config_settings`, and return its file name."""
    wheel_directory = str(Path(wheel_directory).resolve())
    with _project(config_settings) as settings:
        # The frontend's metadata, if it asked for them, are in a directory that the generated project does not need.
        return _scikit_build.build_wheel(wheel_directory, settings, metadata_directory)


def get_requires_for_build_wheel(config_settings: Settings | None = None) -> list[str]:
    """Return what the build needs beyond `build-system.requires`: cmake and ninja, where the machine has none that fit."""
    settings = dict(config_settings or {})
    classifier = settings.pop("classifier", None)
    # The base project has the same needs from cmake and ninja, and the classifier's cannot be generated before these are there.
    requires = _scikit_build.get_requires_for_build_wheel(settings)
    return [*requires, *_CLASSIFIER_REQUIRES] if classifier else requires


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings | None = None) -> str:
    """Write the wheel's metadata without building it and return the name of its `.dist-info` directory."""
    metadata_directory = str(Path(metadata_directory).resolve())
    with _project(config_settings) as settings:
        return _scikit_build.prepare_metadata_for_build_wheel(metadata_directory, settings)


@contextlib.contextmanager
def _project(config_settings: Settings | None) -> Iterator[dict[str, Any]]:
    """Enter the directory of the project to build; yield the settings without ours."""
    settings = dict(config_settings or {})
    classifier = settings.pop("classifier", "")
    if not isinstance(classifier, str):
        from variantkit.errors import MatrixError

        msg = f"-C classifier was given {len(classifier)} times; a wheel has one classifier. Build them one by one."
        raise MatrixError(msg)
    if not classifier:
        yield settings
        return

    # The build dependencies are only complete when a frontend has asked for them, so this is imported late.
    from variantkit.classifier_project import write_classifier_project

    before = Path.cwd()
    project = write_classifier_project(before, classifier)
    os.chdir(project)
    try:
        yield settings
    finally:
        os.chdir(before)
