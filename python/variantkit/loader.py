"""Load the best classifier of a customer's package that this machine can run, and say what was loaded and why."""

from __future__ import annotations

import os
import sys
from _thread import RLock

from variantkit._record import Record
from variantkit.announce import announce, nothing_usable
from variantkit.environment import read as read_settings
from variantkit.errors import NoUsableClassifierError
from variantkit.host import Host, detect
from variantkit.installed import find
from variantkit.select import Policy, select_devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from variantkit.catalogue import Catalogue
    from variantkit.environment import Settings
    from variantkit.host import RawCpuid
    from variantkit.select import Decision, Installed

__all__ = ["Loaded", "catalogue_of", "compiled_cpuid", "load", "package_dir", "resolve"]


class Loaded(Record):
    """What was loaded: `library` is what the opener returned, `decisions` has one per kind of device."""

    catalogue: Catalogue
    classifier: str
    library: Any
    path: str
    decision: Decision
    decisions: tuple[Decision, ...]
    host: Host
    installed: tuple[Installed, ...]
    failures: tuple[tuple[str, str], ...] = ()


_lock = RLock()
_loaded: dict[str, Loaded] = {}


def load(
    package: str,
    *,
    cpuid: Callable[[], RawCpuid] | None = None,
    open_library: Callable[[str], Any] | None = None,
    host: Host | None = None,
) -> Loaded:
    """Load the best classifier of the package, once per process: later calls return the same object.

    `cpuid` is the compiled CPUID reading; where it is left out, the function that the catalogue names is imported.
    `open_library` takes the path of a library and returns it opened, or raises OSError; the default is `ctypes.CDLL`. `host`
    replaces detection. Warns with ClassifierFallbackWarning and BetterVariantWarning; raises SettingError for an
    environment variable with a value that is not allowed, and subclasses of ClassifierError.
    """
    if package in _loaded:
        return _loaded[package]
    # Imports stay outside of the lock: another thread may hold the import lock of the package and wait for ours.
    catalogue = catalogue_of(package)
    settings = read_settings(catalogue.prefix, os.environ)
    if host is None:
        host = detect(cpuid or compiled_cpuid(catalogue))
    with _lock:
        if package in _loaded:
            return _loaded[package]
        loaded = resolve(
            catalogue, package_dir=package_dir(package), host=host, settings=settings, open_library=open_library
        )
        _loaded[package] = loaded
    # After the result is kept: a warning may be turned into an error (-W error), and the next call shall still succeed.
    announce(loaded, settings)
    return loaded


def catalogue_of(package: str) -> Catalogue:
    """Return the catalogue that the package carries as `<package>._catalogue`; imports the package."""
    module = __import__(f"{package}._catalogue", fromlist=["CATALOGUE"])
    catalogue: Catalogue = module.CATALOGUE
    return catalogue


def compiled_cpuid(catalogue: Catalogue) -> Callable[[], RawCpuid] | None:
    """Import the compiled CPUID reading that the catalogue names; None where there is none."""
    module, _, name = catalogue.cpuid.partition(":")
    if not module:
        return None
    try:
        function: Callable[[], RawCpuid] = getattr(__import__(module, fromlist=[name]), name)
    except (ImportError, AttributeError):
        return None
    return function


def package_dir(package: str) -> str:
    """Return the folder of an imported package."""
    module = sys.modules[package]
    file = getattr(module, "__file__", None)
    return os.path.dirname(os.path.abspath(file)) if file else os.path.abspath(module.__path__[0])


def resolve(
    catalogue: Catalogue,
    *,
    package_dir: str,
    host: Host,
    settings: Settings,
    open_library: Callable[[str], Any] | None = None,
    search_path: Sequence[str] | None = None,
) -> Loaded:
    """Find, choose and open, without warnings and without keeping the result.

    A library that cannot be opened counts as damaged, and the choice is made anew without it. Raises as `load` does.
    """
    installed = find(catalogue, package_dir, search_path)
    policy = Policy(
        forced=settings.forced or None, cpu_priority=settings.cpu_priority, gpu_priority=settings.gpu_priority
    )
    opener = open_library or _ctypes_library
    failures: list[tuple[str, str]] = []
    while True:
        decisions = select_devices(catalogue, installed, host, policy)
        decision = next((each for each in decisions if each.chosen), None)
        if decision is None or decision.chosen is None:
            msg = nothing_usable(catalogue, installed, host, decisions)
            raise NoUsableClassifierError(msg)
        item = next(each for each in installed if each.classifier == decision.chosen)
        try:
            library = opener(item.path)
        except OSError as error:
            why = f"its library could not be opened: {error}"
            failures.append((item.classifier, why))
            installed = tuple(each.replace(defect=why) if each is item else each for each in installed)
            continue
        return Loaded(
            catalogue=catalogue,
            classifier=item.classifier,
            library=library,
            path=item.path,
            decision=decision,
            decisions=decisions,
            host=host,
            installed=installed,
            failures=tuple(failures),
        )


def _ctypes_library(path: str) -> Any:
    from ctypes import CDLL

    return CDLL(path)
