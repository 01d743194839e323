"""Every error and warning of this package; each message ends with the next thing to do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from variantkit.select import Decision, Installed

__all__ = [
    "AuditError",
    "BetterVariantWarning",
    "BinaryError",
    "BuildError",
    "BusyError",
    "CheckError",
    "ClassifierError",
    "ClassifierFallbackWarning",
    "ClassifierNotInstalledError",
    "ClassifierNotRunnableError",
    "HelperError",
    "HelperNotInstalledError",
    "HelperVersionError",
    "HostFileError",
    "IndexingError",
    "InterpreterNotFoundError",
    "LibraryOpenError",
    "LockError",
    "MatrixError",
    "NoUsableClassifierError",
    "PackageNotFoundError",
    "SettingError",
    "StorageError",
    "ToolError",
    "UncheckedError",
    "UnknownClassifierError",
    "VariantError",
    "VariantkitError",
    "VersionMismatchError",
    "WheelError",
]


class VariantkitError(Exception):
    """Base of all errors raised here."""


class MatrixError(VariantkitError, ValueError):
    """The matrix of classifiers contradicts itself or has an unknown key or feature."""


class BuildError(VariantkitError, RuntimeError):
    """A wheel could not be built; the message has the end of the log and says where the rest is."""


class WheelError(VariantkitError, ValueError):
    """A file is not a wheel, or a damaged one, or does not fit the others."""


class VariantError(VariantkitError, ValueError):
    """Metadata of wheel variants (PEP 825) is damaged or contradicts itself."""


class StorageError(VariantkitError, OSError):
    """A file cannot be written where it should be: the disk is full, or nothing may be written there."""


class BusyError(VariantkitError, RuntimeError):
    """Another process is writing in the same directory."""


class CheckError(VariantkitError, ValueError):
    """A release has findings and must not be published; the message has them."""


class AuditError(VariantkitError, ValueError):
    """Machine code is not what its label says; the message has the findings."""


class BinaryError(VariantkitError, ValueError):
    """A native file is damaged, of no known format, or not the one that belongs to another."""


class UncheckedError(VariantkitError, RuntimeError):
    """Something about a release could not be checked; the message says what is missing for it."""


class IndexingError(VariantkitError, ValueError):
    """A simple repository could not be written from these files."""


class LockError(VariantkitError, ValueError):
    """Variants cannot be added to this lock file."""


class InterpreterNotFoundError(VariantkitError, LookupError):
    """There is no Python here that a wheel can be built for."""


class PackageNotFoundError(VariantkitError, LookupError):
    """No package of that name is installed that is loaded through variantkit."""


class SettingError(VariantkitError, ValueError):
    """An environment variable has a value that is not allowed."""


class ToolError(VariantkitError, ValueError):
    """There are no ready-made lines for that tool, or none of that kind."""


class HostFileError(VariantkitError, ValueError):
    """The file of a recorded machine is damaged."""


class LibraryOpenError(VariantkitError, OSError):
    """A kernel library could not be opened; what an opener raises."""


class ClassifierError(VariantkitError, ImportError):
    """No classifier can be loaded, or not the one that was asked for."""


class UnknownClassifierError(ClassifierError):
    """The classifier asked for is not in the catalogue."""


class ClassifierNotInstalledError(ClassifierError):
    """The classifier asked for would run here, but is not installed."""


class ClassifierNotRunnableError(ClassifierError):
    """The classifier asked for needs something that this machine does not have."""


class VersionMismatchError(ClassifierError):
    """The classifier asked for is installed in another version than the base package."""


class NoUsableClassifierError(ClassifierError):
    """Nothing could be loaded: the message names the cause and the cure.

    `decision` is the one for the kind of device that goes first, None where it was a forced classifier that failed;
    `installed` has what was found, the libraries that could not be opened with their `defect`.
    """

    def __init__(self, message: str, decision: Decision | None = None, installed: tuple[Installed, ...] = ()) -> None:
        super().__init__(message)
        self.decision = decision
        self.installed = installed


class HelperError(VariantkitError, ImportError):
    """A library that was asked to compute in place of the kernels cannot be used."""


class HelperNotInstalledError(HelperError):
    """It is not installed."""


class HelperVersionError(HelperError):
    """It is installed in a version that is not known to work."""


class BetterVariantWarning(UserWarning):
    """A classifier that runs here and is ranked higher than the loaded one is published, but not installed."""


class ClassifierFallbackWarning(RuntimeWarning):
    """An installed classifier could not be used, so that a lower one is loaded."""
