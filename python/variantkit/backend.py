"""A PEP 517 backend: scikit-build-core's, plus one setting that says which wheel of a project to build.

Without the setting it is scikit-build-core and builds the base wheel. With `-C classifier=NAME` it builds the wheel of
that classifier: a distribution of another name (`<distribution>-<classifier>`), `py3-none-<platform>`, which holds one
kernel library. The project of such a wheel is generated next to the build tree, so there is one pyproject.toml to keep
and nothing is copied over it. Each wheel gets a software bill of materials (PEP 770).

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
import sys
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

# An editable install is one of the base.
build_editable = _scikit_build.build_editable
get_requires_for_build_editable = _scikit_build.get_requires_for_build_editable


def build_sdist(sdist_directory: str, config_settings: Settings | None = None) -> str:
    """Build the sdist, which holds all classifiers, whichever is asked for, and return its file name."""
    return _scikit_build.build_sdist(sdist_directory, _without_ours(config_settings))


def get_requires_for_build_sdist(config_settings: Settings | None = None) -> list[str]:
    """Return what building the sdist needs beyond `build-system.requires`."""
    return _scikit_build.get_requires_for_build_sdist(_without_ours(config_settings))


def _without_ours(config_settings: Settings | None) -> dict[str, Any]:
    return {key: value for key, value in (config_settings or {}).items() if key != "classifier"}


def build_wheel(
    wheel_directory: str, config_settings: Settings | None = None, metadata_directory: str | None = None
) -> str:
    """Build the base wheel, or that of the classifier in `config_settings`, and return its file name."""
    wheel_directory = str(Path(wheel_directory).resolve())
    with _project(config_settings) as settings:
        # The frontend's metadata, if it asked for them, are in a directory that the generated project does not need.
        name = _scikit_build.build_wheel(wheel_directory, settings, metadata_directory)
    from variantkit.sbom import add_sbom

    add_sbom(Path(wheel_directory, name), Path.cwd())
    return name


def get_requires_for_build_wheel(config_settings: Settings | None = None) -> list[str]:
    """Return what the build needs beyond `build-system.requires`: cmake and ninja, where the machine has none that fit."""
    # The base project has the same needs from cmake and ninja; the classifier's cannot be generated before they are there.
    requires = _scikit_build.get_requires_for_build_wheel(_without_ours(config_settings))
    return [*requires, *_CLASSIFIER_REQUIRES] if (config_settings or {}).get("classifier") else requires


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings | None = None) -> str:
    """Write the wheel's metadata without building it and return the name of its `.dist-info` directory."""
    metadata_directory = str(Path(metadata_directory).resolve())
    with _project(config_settings) as settings:
        return _scikit_build.prepare_metadata_for_build_wheel(metadata_directory, settings)


@contextlib.contextmanager
def _project(config_settings: Settings | None) -> Iterator[dict[str, Any]]:
    """Enter the directory of the project to build; yield the settings without ours."""
    classifier = (config_settings or {}).get("classifier", "")
    if not classifier:
        yield _without_ours(config_settings)
        return

    # The build dependencies are only complete when a frontend has asked for them, so this is imported late.
    from variantkit.classifier_project import write_classifier_project
    from variantkit.errors import VariantkitError

    before = Path.cwd()
    try:
        if not isinstance(classifier, str):
            sys.exit(
                f"error: -C classifier was given {len(classifier)} times. Build the wheels of classifiers one by one."
            )
        project = write_classifier_project(before, classifier)
    except VariantkitError as error:
        sys.exit(f"error: {error}")  # as scikit-build-core ends a failed build: without a traceback of its own
    os.chdir(project)
    try:
        yield _without_ours(config_settings)
    finally:
        os.chdir(before)
