"""Everything that the doctor looks at, as values: whoever makes them up can have every finding."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from variantkit.catalogue import Catalogue
    from variantkit.doctor.indexes import Configured
    from variantkit.host import Host
    from variantkit.select import Installed

__all__ = ["Cpus", "Damage", "Distribution", "Facts", "Import", "Interpreter", "Outcome", "SelfTestRun"]

Outcome = Literal["passed", "failed", "crashed", "timed out", "not run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The Python that runs; `tag` and `platform_tag` are those of a wheel that only it takes, "" where unknown."""

    version: str
    executable: str
    tag: str = ""
    platform_tag: str = ""
    bits: int = 64
    libc: str = ""
    free_threaded: bool = False
    frozen: bool = False
    subinterpreter: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Damage:
    """A file that is not as RECORD says: as it is called there, where it is, and what is wrong with it."""

    file: str
    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.file} {self.why}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distribution:
    """An installed distribution.

    `folder` is where its files are, `metadata` its .dist-info; `tags` are those of its wheel. `direct` is the file, folder or
    address that it was installed from in place of an index (PEP 610), in the words of pip, `installer` is who installed it.
    """

    name: str
    version: str
    folder: str
    metadata: str
    tags: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    recorded: bool = True
    damage: tuple[Damage, ...] = ()
    direct: str = ""
    editable: bool = False
    installer: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Import:
    """What `import` did in a fresh process; `openmp` are the OpenMP runtimes that were mapped after it.

    `why` is empty where it passed. `gil` is whether a free-threaded Python had a GIL after it. `held_back` is the classifier
    that would have been loaded, and was not, because its library is not the published one.
    """

    outcome: Outcome
    why: str = ""
    classifier: str = ""
    path: str = ""
    openmp: tuple[str, ...] = ()
    gil: bool = False
    held_back: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelfTestRun:
    """What the self-test of one installed classifier did in a process of its own; `check` is the last that was begun."""

    classifier: str
    outcome: Outcome
    why: str = ""
    check: str = ""
    checks: int = 0
    threads: int = 0
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cpus:
    """How much of the machine this process may use: `allowed` by affinity, `quota` by cgroups; `load` is the average."""

    present: int
    allowed: int
    quota: float | None = None
    load: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What is installed, what the machine is, and what happened when it was tried.

    Those of `installed` whose library is not the one of their MANIFEST or of RECORD have that as their defect.
    `package_folders` has each folder of the path that holds the package, the one in use first; `classifier_folders` the same
    for each classifier. `python_path` are the folders of PYTHONPATH, `current` is the current one. `hypervisor` is "" where
    there is none, or it is unknown. `setting_error` is why the environment's settings cannot be followed, `ignored` are
    settings that are not used. `configured` is whether the installer's own settings tell it of an index, or of a
    folder. `unchecked` says what could not be looked at, and why.
    """

    catalogue: Catalogue
    interpreter: Interpreter
    host: Host
    hypervisor: str = ""
    cpus: Cpus
    installed: tuple[Installed, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    package_folders: tuple[str, ...] = ()
    classifier_folders: tuple[tuple[str, tuple[str, ...]], ...] = ()
    python_path: tuple[str, ...] = ()
    current: str = ""
    forced: str = ""
    setting_error: str = ""
    ignored: tuple[str, ...] = ()
    threads_variable: str = ""
    installer: str = ""
    configured: Configured = ""
    imported: Import
    self_tests: tuple[SelfTestRun, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def threads(self) -> int:
        """How many threads a computation would use, 0 where that is not known."""
        return max((run.threads for run in self.self_tests), default=0)
