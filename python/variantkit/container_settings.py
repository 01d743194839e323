"""cibuildwheel's settings, derived from the matrix: one pure function, for every machine and for CI.

What the caller has set in the environment is respected:

* CIBW_CONTAINER_ENGINE, CIBW_ENVIRONMENT and CIBW_ENVIRONMENT_PASS are added to;
* CIBW_MANYLINUX_<MACHINE>_IMAGE is taken where no image is named;
* CIBW_BUILD_FRONTEND, CIBW_BEFORE_BUILD, CIBW_CONFIG_SETTINGS and CIBW_REPAIR_WHEEL_COMMAND say how a wheel is made, and
  are set here;
* every other one, and [tool.cibuildwheel] in pyproject.toml, works as cibuildwheel documents it, CIBW_BEFORE_ALL for
  instance.

Settings: https://cibuildwheel.pypa.io/en/stable/options/
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from variantkit.repair import auditwheel_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from variantkit.matrix import Row

__all__ = ["IMAGE", "PREBUILT", "container_settings"]

# GCC 14 and glibc 2.28; cibuildwheel has the digest of the image that it means by this name.
IMAGE = "manylinux_2_28"

# Where the base wheel finds the library that was compiled before; cibuildwheel puts the project's directory in.
PREBUILT = "{project}/.variantkit/prebuilt"

_INSIDE = "/variantkit"

# Settings of the compiler cache that are about this machine's files, and mean nothing in the container.
_OF_THIS_MACHINE = {"CCACHE_DIR", "CCACHE_CONFIGPATH", "CCACHE_LOGFILE", "CCACHE_TEMPDIR", "CCACHE_BASEDIR"}

# Where uv finds packages.
_PACKAGES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")


def container_settings(
    row: Row,
    *,
    repair: bool = True,
    backend: Mapping[str, str],
    requires: Sequence[str],
    machine: str,
    image: str,
    engine: str,
    labels: Mapping[str, str],
    caches: Mapping[str, Path],
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return the environment variables for one run of cibuildwheel, which makes one wheel.

    `row` is the classifier whose library is in the wheel, which is repaired unless `repair` says otherwise; `backend` are
    the settings for the build backend, `requires` is what has to be installed to build. `image` may be empty; `engine` is
    what CIBW_CONTAINER_ENGINE says. The containers get `labels`. `caches` are folders of this machine for "ccache" and
    "uv". `environ` is the caller's environment.
    """
    image_variable = f"CIBW_MANYLINUX_{machine.upper()}_IMAGE"
    links, places = _find_links(environ)
    mounts = {str(path): f"{_INSIDE}/{name}" for name, path in caches.items()}
    settings = {
        "CIBW_BUILD_FRONTEND": "build[uv]; args: --no-isolation",
        # As on the machine, and into the container's own Python, which nothing else uses. An isolated environment has
        # another path each time, and with it each header found there, so that the compiler cache would find nothing.
        "CIBW_BEFORE_BUILD": f'uv pip install --python "$(command -v python)" {shlex.join(requires)}',
        "CIBW_CONFIG_SETTINGS": shlex.join(
            f"{name}={value}" for name, value in {**backend, "build-dir": "{project}/build/cmake"}.items()
        ),
        "CIBW_REPAIR_WHEEL_COMMAND": _repair(row) if repair else "",
        # What cibuildwheel pins is for its own tools; what builds is named by the project, as for a build on the machine.
        "CIBW_DEPENDENCY_VERSIONS": environ.get("CIBW_DEPENDENCY_VERSIONS", "latest"),
        image_variable: image or environ.get(image_variable) or IMAGE,
        "CIBW_CONTAINER_ENGINE": _engine(engine, labels, mounts | links),
        "CIBW_ENVIRONMENT": _environment(environ, places),
        "CIBW_ENVIRONMENT_PASS": " ".join(_passed(environ)),
    }
    if "classifier" in backend:
        # A classifier wheel needs the base wheel of its version, which is not published yet.
        settings["CIBW_TEST_SKIP"] = "*"
    return settings


def _repair(row: Row) -> str:
    return " ".join(["auditwheel repair", *auditwheel_options(row), "--wheel-dir {dest_dir} {wheel}"])


def _engine(setting: str, labels: Mapping[str, str], mounts: Mapping[str, str]) -> str:
    """Add to the caller's engine and its options what our containers have; keys that come twice add up."""
    # Without a time-out, a shell that waits for its next command is given ten seconds to end.
    arguments = ["--stop-timeout=0", *(f"--label={name}={value}" for name, value in labels.items())]
    arguments += [f"--volume={outside}:{inside}" for outside, inside in mounts.items()]
    # cibuildwheel mounts the whole machine at /host unless it is told not to.
    host = "" if "disable_host_mount" in setting.replace("-", "_") else "; disable_host_mount: true"
    return f"{setting.strip()}{host}; create_args: {shlex.join(arguments)}"


def _find_links(environ: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return where the folders that uv is to find packages in are mounted, and what UV_FIND_LINKS says inside."""
    mounts, places = {}, []
    for number, place in enumerate(filter(None, environ.get("UV_FIND_LINKS", "").split(","))):
        if "://" in place:
            places.append(place)
        else:
            places.append(f"{_INSIDE}/find-links/{number}")
            mounts[os.path.abspath(place)] = f"{places[-1]}:ro"  # noqa: PTH100 -- without touching the disk
    return mounts, ",".join(places)


def _environment(environ: Mapping[str, str], places: str) -> str:
    """Return the environment of the build, in the shell's syntax, the caller's last."""
    values = {
        "CMAKE_CXX_COMPILER_LAUNCHER": "\"$(sh -c 'command -v ccache || :')\"",
        "CCACHE_DIR": f"{_INSIDE}/ccache",
        "UV_CACHE_DIR": f"{_INSIDE}/uv",
        "UV_LINK_MODE": "copy",  # the cache is on another file system
    }
    if "CCACHE_COMPILERCHECK" not in environ:
        # By its time stamp, the compiler of each image, and of each machine, would be another one.
        values["CCACHE_COMPILERCHECK"] = "content"
    if places:
        values["UV_FIND_LINKS"] = shlex.quote(places)
    ours = " ".join(f"{name}={value}" for name, value in values.items())
    return f"{ours} {environ.get('CIBW_ENVIRONMENT', '')}".strip()


def _passed(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that the container gets as they are here."""
    ours = [name for name in environ if name.startswith("CCACHE_") and name not in _OF_THIS_MACHINE]
    ours += [name for name in _PACKAGES if name in environ]
    return sorted({*ours, *environ.get("CIBW_ENVIRONMENT_PASS", "").split()})
