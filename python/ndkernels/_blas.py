"""The BLAS libraries that can compute matrix products: where they are installed, and how they are opened.

They are found through what the installer recorded of their distribution, never by a search for libraries, and opened by
their absolute path. Their own Python code is not run: that of scipy-openblas64 would make its functions visible to every
other library of the process.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata

from ndkernels import _binding
from ndkernels._catalogue import CATALOGUE
from variantkit._record import Record
from variantkit.errors import HelperError, HelperNotInstalledError, HelperVersionError
from variantkit.installed import search_folders
from variantkit.installer import command, installer_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LIBRARIES", "Library", "OpenedBlas", "find_blas", "open_blas", "opened"]


class Library(Record):
    """A BLAS as it is published: versions from `least` on and before `below` are known to work."""

    name: str
    distribution: str
    file: str
    least: str
    below: str

    @property
    def requirement(self) -> str:
        """What an installer is asked for."""
        return f"{self.distribution}>={self.least},<{self.below}"


class OpenedBlas(Record):
    """A BLAS of this environment."""

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
        Library(name="mkl", distribution="mkl", file="libmkl_rt.so", least="2024", below="2027"),
    )
}
"""By name; the extras of pyproject.toml say the same."""

_opened: dict[str, OpenedBlas] = {}


def opened() -> tuple[OpenedBlas, ...]:
    """Return what this process has opened; that stays loaded until it ends."""
    return tuple(_opened.values())


def open_blas(name: str) -> OpenedBlas:
    """Open a BLAS, once per process, so that it can be a helper.

    Raises HelperNotInstalledError, HelperVersionError, and HelperError where it is damaged or cannot be opened.
    """
    if name not in _opened:
        library = LIBRARIES[name]
        found = find_blas(library)
        try:
            _binding.open_blas(name, found.path, found.version)
        except OSError as error:
            raise HelperError(
                _damaged(library, found.version, f"its library could not be opened: {str(error).rstrip('.')}")
            ) from error
        _opened[name] = found
    return _opened[name]


def find_blas(library: Library, path: Sequence[str] | None = None) -> OpenedBlas:
    """Return where a BLAS is installed; `path` replaces `sys.path`.

    Raises as `open_blas` does.
    """
    # Whoever can write to the current directory must not be able to plant a library.
    folders = search_folders(os.path.dirname(__file__), sys.path if path is None else path)
    installed = next(iter(metadata.distributions(name=library.distribution, path=folders)), None)
    if installed is None:
        raise HelperNotInstalledError(
            f"{library.name} is asked for, and {library.distribution} is not installed; wanted is "
            f"{library.requirement}. Run: {_install(library)}"
        )
    version = installed.version
    if not _numbers(library.least) <= _numbers(version) < _numbers(library.below):
        raise HelperVersionError(
            f"{library.name} is asked for, and {library.distribution} {version} is installed; wanted is "
            f"{library.requirement}. Run: {_install(library)}"
        )
    files = {os.path.abspath(str(installed.locate_file(each))) for each in installed.files or ()}
    libraries = sorted(each for each in files if ".so" in os.path.basename(each))
    main = next((each for each in libraries if os.path.basename(each).startswith(library.file)), None)
    if main is None:
        raise HelperError(_damaged(library, version, f"its record names no {library.file}"))
    # All of them: MKL opens others itself, and ends the process where one is missing.
    for each in libraries:
        if not os.path.isfile(each):
            raise HelperError(_damaged(library, version, f"{each} is missing"))
    return OpenedBlas(name=library.name, version=version, path=main)


def _install(library: Library) -> str:
    # The extra, so that what is installed is what this version was tried with; packages of conda have no extras.
    if installer_name(CATALOGUE) == "conda":
        return command(CATALOGUE, requirement=library.requirement)
    return command(CATALOGUE, library.name)


def _damaged(library: Library, version: str, why: str) -> str:
    mend = command(CATALOGUE, repair=True, requirement=f"{library.distribution}=={version}")
    return (
        f"{library.name} is asked for, and {library.distribution} {version} cannot be used (wanted is "
        f"{library.requirement}): {why}. Run: {mend}"
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the release of a version as numbers that can be compared: "0.3.31.22.1" and "2024.0.post1"."""
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
