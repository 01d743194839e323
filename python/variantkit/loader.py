"""Load the best classifier of a customer's package that this machine can run, and say what was loaded and why."""

from __future__ import annotations

import os
import sys
from _thread import RLock

from variantkit._record import Record
from variantkit.announce import announce, cannot_open, nothing_usable
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

__all__ = [
    "Loaded",
    "catalogue_of",
    "compiled_cpuid",
    "compiled_opener",
    "load",
    "not_importable",
    "package_dir",
    "package_path",
    "resolve",
]


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
    `open_library` takes the path of a library and returns it opened, or raises OSError; where it is left out, the function
    that the catalogue names is imported, and where it names none it is `ctypes.CDLL`. `host` replaces detection. Warns with
    ClassifierFallbackWarning, BetterVariantWarning and, for a setting that is not used, RuntimeWarning; raises SettingError
    for an environment variable with a value that is not allowed, and subclasses of ClassifierError.
    """
    if package in _loaded:
        return _loaded[package]
    # Imports stay outside of the lock: another thread may hold the import lock of the package and wait for ours.
    catalogue = catalogue_of(package)
    settings = read_settings(catalogue.prefix, os.environ)
    if host is None:
        host = detect(cpuid or compiled_cpuid(catalogue))
    opener = open_library or compiled_opener(catalogue)
    with _lock:
        if package in _loaded:
            return _loaded[package]
        loaded = resolve(
            catalogue,
            package_dir=package_dir(package),
            package_path=package_path(package),
            host=host,
            settings=settings,
            open_library=opener,
        )
        _loaded[package] = loaded
    # After the result is kept: a warning may be turned into an error (-W error), and the next call shall still succeed.
    announce(loaded, settings)
    return loaded


def catalogue_of(package: str) -> Catalogue:
    """Return the catalogue that the package carries as `<package>._catalogue`; imports the package."""
    catalogue: Catalogue = _imported(f"{package}._catalogue:CATALOGUE")
    return catalogue


def compiled_cpuid(catalogue: Catalogue) -> Callable[[], RawCpuid] | None:
    """Import the compiled CPUID reading that the catalogue names; None where there is none."""
    try:
        function: Callable[[], RawCpuid] | None = _imported(catalogue.cpuid)
    except (ImportError, AttributeError):
        return None
    return function


def compiled_opener(catalogue: Catalogue) -> Callable[[str], Any] | None:
    """Import the function that the catalogue names to open libraries; None where it names none.

    Raises NoUsableClassifierError where it cannot be imported: another opener would return something else.
    """
    try:
        opener: Callable[[str], Any] | None = _imported(catalogue.opener)
    except (ImportError, AttributeError) as error:
        raise not_importable(catalogue, error) from error
    return opener


def not_importable(catalogue: Catalogue, error: Exception) -> NoUsableClassifierError:
    """Return the error to raise where the compiled part of a package cannot be imported; `error` says why."""
    folder = package_dir(catalogue.package) if catalogue.package in sys.modules else ""
    return NoUsableClassifierError(cannot_open(catalogue, error, folder))


def _imported(name: str) -> Any:
    """Return what "module:attribute" names; None for an empty name."""
    module, _, attribute = name.partition(":")
    if not module:
        return None
    # From the outermost package on: Python locks "a.b" before it imports "a" for it, and with a thread that is importing "a"
    # and comes to its "a.b" that is a deadlock, which it ends by an exception.
    name = ""
    for part in module.split("."):
        name += f".{part}" if name else part
        __import__(name)
    return getattr(sys.modules[module], attribute)


def package_dir(package: str) -> str:
    """Return the folder of an imported package."""
    module = sys.modules[package]
    file = getattr(module, "__file__", None)
    return os.path.dirname(os.path.abspath(file)) if file else os.path.abspath(module.__path__[0])


def package_path(package: str) -> tuple[str, ...]:
    """Return the folders that an imported package consists of: an editable install may have the compiled part apart."""
    return tuple(getattr(sys.modules[package], "__path__", ()))


def resolve(
    catalogue: Catalogue,
    *,
    package_dir: str,
    package_path: Sequence[str] = (),
    host: Host,
    settings: Settings,
    open_library: Callable[[str], Any] | None = None,
    search_path: Sequence[str] | None = None,
) -> Loaded:
    """Find, choose and open, without warnings and without keeping the result.

    The package is not imported: `package_dir` is its folder, `package_path` its `__path__`, and `open_library` is
    `ctypes.CDLL` where it is left out. A library that cannot be opened, or that says it is another one, counts as damaged:
    `installed` has it with its `defect`, and the choice is made anew without it.

    Raises subclasses of ClassifierError; its NoUsableClassifierError has `decision` and `installed`.
    """
    installed = find(catalogue, package_dir, search_path, package_path=package_path)
    policy = Policy(
        forced=settings.forced or None, cpu_priority=settings.cpu_priority, gpu_priority=settings.gpu_priority
    )
    opener = open_library or _ctypes_library
    while True:
        try:
            decisions = select_devices(catalogue, installed, host, policy)
        except NoUsableClassifierError as error:
            raise NoUsableClassifierError(str(error), None, installed) from None
        decision = next((each for each in decisions if each.chosen), None)
        if decision is None:
            msg = nothing_usable(catalogue, installed, host, decisions, package_dir)
            raise NoUsableClassifierError(msg, decisions[0], installed)
        item = next(each for each in installed if each.classifier == decision.chosen)
        try:
            library = opener(item.path)
            why = _contradiction(library, item)
        except OSError as error:
            why = f"its library could not be opened: {error}"
        if why:
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
        )


def _contradiction(library: Any, item: Installed) -> str:
    """Return what the library says of itself that is not what was expected, or an empty string."""
    for field, expected in (("classifier", item.classifier), ("version", item.version)):
        says = getattr(library, field, None)
        if isinstance(says, str) and says != expected:  # a CDLL returns a function where there is such a symbol
            return f"its library says its {field} is {says}, where {expected} was expected"
    return ""


def _ctypes_library(path: str) -> Any:
    from ctypes import CDLL

    return CDLL(path)
