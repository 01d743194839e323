"""The libraries that helpers call: where they are installed, and how they are opened.

They are found through what the installer recorded of their distribution, never by a search for libraries, and opened by
their absolute path. Their own Python code is not run: that of scipy-openblas64 would make its functions visible to every
other library of the process.
"""

from __future__ import annotations

import csv
import os
import platform
import re
import sys
from importlib import metadata

from ndkernels import _binding
from ndkernels._catalogue import CATALOGUE
from variantkit import loader
from variantkit._record import Record
from variantkit.errors import HelperError, HelperNotInstalledError, HelperVersionError
from variantkit.installed import search_folders
from variantkit.installer import command, installer_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LIBRARIES", "Library", "OpenedLibrary", "find_library", "open_library", "opened"]


class Library(Record):
    """A library as it is published for Linux: versions from `least` on and before `below` are known to work.

    `opens` matches the names of the libraries that `file` opens itself; `machines` are those it is for, or empty for all.
    One that is `compiled` is called by code in the kernel libraries of some classifiers, which require it; the others have an
    extra of their name.
    """

    name: str
    distribution: str
    file: str
    least: str
    below: str
    opens: str = ""
    machines: tuple[str, ...] = ()
    compiled: bool = False

    @property
    def requirement(self) -> str:
        """What an installer is asked for."""
        return f"{self.distribution}>={self.least},<{self.below}"


class OpenedLibrary(Record):
    """A library of this environment."""

    name: str
    version: str
    path: str


LIBRARIES = {
    library.name: library
    for library in (
        Library(
            name="openblas",
            distribution="scipy-openblas64",
            file="libscipy_openblas64_.so",
            least="0.3.27",
            below="0.4",
        ),
        Library(
            name="mkl",
            distribution="mkl",
            file="libmkl_rt.so",
            least="2024",
            below="2027",
            # Not those for clusters, other OpenMP runtimes and vectors of functions: an image may have been freed of them.
            opens=r"libmkl_(core|intel_i?lp64|intel_thread|sequential|def|mc3|avx\w*)\.so",
            machines=("x86_64",),
        ),
        Library(
            name="onednn",
            distribution="onednn-cpu-gomp",
            file="libdnnl.so.3",
            least="2023.2",
            below="2024",
            machines=("x86_64",),
            compiled=True,
        ),
    )
}
"""By name; the extras of pyproject.toml and the rows of classifiers.toml say the same."""

_opened: dict[str, OpenedLibrary] = {}


def opened() -> tuple[OpenedLibrary, ...]:
    """Return what this process has opened; that stays loaded until it ends."""
    return tuple(_opened.values())


def open_library(name: str) -> OpenedLibrary:
    """Open a library, once per process, so that it can be a helper.

    Raises HelperNotInstalledError, also where no classifier is loaded that has the code for it, HelperVersionError, and
    HelperError where it is damaged or cannot be opened.
    """
    if name not in _opened:
        library = LIBRARIES[name]
        if library.compiled and _binding.compiled_helper() != name:
            raise HelperNotInstalledError(_not_compiled(name))
        found = find_library(library)
        try:
            (_binding.open_compiled_helper if library.compiled else _binding.open_blas)(name, found.path, found.version)
        except OSError as error:
            raise HelperError(
                _damaged(library, found.version, f"its library could not be opened: {str(error).rstrip('.')}")
            ) from error
        _opened[name] = found
    return _opened[name]


def find_library(library: Library, path: Sequence[str] | None = None) -> OpenedLibrary:
    """Return where a library is installed; `path` replaces `sys.path`.

    Raises as `open_library` does.
    """
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or (library.machines and machine not in library.machines):
        where = " or ".join(f"Linux on {each}" for each in library.machines) or "Linux"
        raise HelperError(
            f"{library.name} is asked for, and can be used on {where}; this is {system} on {machine}. "
            f"Set NDKERNELS_{'HELPERS=off' if library.compiled else 'BLAS=own'}, or pass 'off' to helpers()."
        )
    # Whoever can write to the current directory must not be able to plant a library.
    folders = search_folders(os.path.dirname(__file__), sys.path if path is None else path)
    installed = next(iter(metadata.distributions(name=library.distribution, path=folders)), None)
    if installed is None:
        raise HelperNotInstalledError(
            f"{library.name} is asked for, and {library.distribution} is not installed; wanted is "
            f"{library.requirement}. {_install(library)}"
        )
    version = _version(installed)
    if not version:
        raise HelperError(_damaged(library, "", "its METADATA names no version"))
    if not _numbers(library.least) <= _numbers(version) < _numbers(library.below):
        raise HelperVersionError(
            f"{library.name} is asked for, and {library.distribution} {version} is installed; wanted is "
            f"{library.requirement}. {_install(library)}"
        )
    # Not `installed.files`: since Python 3.12 it leaves out what is missing.
    record = csv.reader((installed.read_text("RECORD") or "").splitlines())
    files = sorted({os.path.abspath(str(installed.locate_file(row[0]))) for row in record if row})
    main = next((each for each in files if os.path.basename(each).startswith(library.file)), None)
    if main is None:
        raise HelperError(_damaged(library, version, f"its record names no {library.file}"))
    # MKL ends the process where one that it opens is missing.
    opens = [each for each in files if library.opens and re.match(library.opens, os.path.basename(each))]
    for each in (main, *opens):
        if not os.path.isfile(each):
            raise HelperError(_damaged(library, version, f"{each} is missing"))
    return OpenedLibrary(name=library.name, version=version, path=main)


def _version(installed: metadata.Distribution) -> str:
    # Not `installed.version`, which without a METADATA is None or raises, depending on the version of Python.
    for line in (installed.read_text("METADATA") or "").splitlines():
        key, _, value = line.partition(":")
        if not key.strip():
            break
        if key.lower() == "version":
            return value.strip()
    return ""


def _not_compiled(name: str) -> str:
    """Return what is wrong, and what to do, where the loaded classifier has no code for a helper."""
    loaded = loader.load("ndkernels")
    rows = [row for row in CATALOGUE.classifiers if name in row.helpers and row.name in loaded.decision.runnable]
    found = {item.classifier for item in loaded.installed}
    best = max(rows, key=lambda row: (row.name in found, row.rank), default=None)
    said = f"{name} is asked for, and the classifier {loaded.classifier}, which is loaded, has no code for it"
    if best is None:
        return (
            f"{said}; this machine runs none that has. Set {CATALOGUE.prefix}_HELPERS=off, or pass 'off' to helpers()."
        )
    if best.name in found:
        return f"{said}; {best.name} has. Set {CATALOGUE.prefix}_CLASSIFIER={best.name}, or unset that variable."
    return f"{said}; {best.name} has. Run: {command(CATALOGUE, best.name)}"


def _install(library: Library) -> str:
    if refused := _beside_conda(library):
        return refused
    # The extra, so that what is installed is what this version was tried with; packages of conda have no extras.
    if library.compiled or installer_name(CATALOGUE) == "conda":
        return f"Run: {command(CATALOGUE, requirement=library.requirement)}"
    return f"Run: {command(CATALOGUE, library.name)}"


def _damaged(library: Library, version: str, why: str) -> str:
    requirement = f"{library.distribution}=={version}" if version else library.requirement
    mend = _beside_conda(library) or f"Run: {command(CATALOGUE, repair=True, requirement=requirement)}"
    found = f"{library.distribution} {version}".rstrip()
    return f"{library.name} is asked for, and {found} cannot be used (wanted is {library.requirement}): {why}. {mend}"


def _beside_conda(library: Library) -> str:
    """Return what to do in place of a command where the files of the wheel are also those of a package of conda."""
    if library.name != "mkl" or not os.path.isdir(os.path.join(sys.prefix, "conda-meta")):
        return ""
    return (
        "In an environment of conda, pip would overwrite the files of conda's own mkl with it. "
        "Ask for openblas in place of it, or make a virtual environment for it: python -m venv FOLDER"
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the release of a version as numbers that can be compared: "0.3.31.22.1" and "2024.0.post1"."""
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
