"""Give another machine's answers to the loader of a process; nothing of this is in what is installed.

variantkit's modules are changed while they are imported: detection gets the recorded CPUID, XCR0 and kernel list instead of
asking, and everything that follows, up to the opening of a library, is the installed code. A library that the real machine
cannot run is never opened, so that a pretended Granite Rapids kills nothing.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from variantkit.catalogue import Catalogue
    from variantkit.host import Host, RawCpuid
    from variantkit.hostfile import RecordedHost
    from variantkit.select import Installed

__all__ = ["VARIABLE", "NotOpenedError", "Pretence", "from_environment", "install"]

VARIABLE = "VARIANTKIT_PRETEND"
"""The environment variable that has the pretence, as JSON, for a process and its children."""


class NotOpenedError(RuntimeError):
    """A library was chosen and not opened; `classifier` and `path` say which."""

    def __init__(self, message: str, classifier: str, path: str) -> None:
        super().__init__(message)
        self.classifier = classifier
        self.path = path


class Pretence(NamedTuple):
    """What is pretended: a recorded machine, without some of its sources, and with some of the classifiers installed.

    `installed` hides all others; None hides nothing. With `open_libraries` False none is opened at all.
    """

    host: str
    installed: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    open_libraries: bool = True

    def dump(self) -> str:
        """Return the value of the environment variable."""
        return json.dumps(self._asdict())


def from_environment() -> None:
    """Install what the environment variable says, if it is set."""
    value = os.environ.get(VARIABLE)
    if value:
        install(Pretence(**json.loads(value)))


def install(pretence: Pretence, recorded: RecordedHost | None = None) -> None:
    """Pretend from now on; `recorded` is the machine in `pretence.host` where it has been read already.

    Raises RuntimeError where the loader has been imported: it took the functions that are changed here.
    """
    if "variantkit.loader" in sys.modules or "variantkit.installed" in sys.modules:
        msg = "the loader of this process has been imported before it could be changed; pretend before that"
        raise RuntimeError(msg)
    changes = _Changes(pretence, recorded)
    if "variantkit.host" in sys.modules:
        changes.by_module["variantkit.host"](sys.modules["variantkit.host"])
    sys.meta_path.insert(0, _Finder(changes))


class _Finder(MetaPathFinder):
    """Finds nothing itself: it lets the others find, and changes a module once it has been executed."""

    def __init__(self, changes: _Changes) -> None:
        self._changes = changes

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = self._changes.by_module.get(name)
        if change is None:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _ChangingLoader(spec.loader, change)
                return spec
        return None


class _ChangingLoader(Loader):
    def __init__(self, loader: Loader, change: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)


def _not_yet(*_: Any, **__: Any) -> Any:
    msg = "variantkit.report was imported before variantkit.loader; import the loader first"
    raise RuntimeError(msg)


class _Changes:
    """The changed functions; each module that is changed has the original in its closure."""

    def __init__(self, pretence: Pretence, recorded: RecordedHost | None) -> None:
        self._pretence = pretence
        self._recorded = recorded
        self._real: Host | None = None
        self._detect: Callable[..., Host] | None = None
        self._cpuid: Callable[[], RawCpuid] | None = None
        self._resolve: Callable[..., Any] = _not_yet
        self.by_module: dict[str, Callable[[ModuleType], None]] = {
            "variantkit.host": self._change_host,
            "variantkit.installed": self._change_installed,
            "variantkit.loader": self._change_loader,
            "variantkit.report": self._change_report,
        }

    def _machine(self) -> RecordedHost:
        if self._recorded is None:
            from variantkit.hostfile import read

            self._recorded = read(self._pretence.host)
            sys.stderr.write(f"pretend: {self._recorded.name}; nothing said about the CPU is of this machine\n")
        return self._recorded

    def _change_host(self, module: ModuleType) -> None:
        real: Callable[..., Host] = module.detect
        without = self._pretence.without

        def detect(cpuid: Any = None, sources: Any = None, **options: Any) -> Host:
            if sources is not None:  # a recorded machine is replayed, by --host
                return real(cpuid, sources, **options)
            self._cpuid = cpuid
            machine = self._machine()
            reading = None if "cpuid" in without else machine.cpuid
            return real(
                None if reading is None else lambda: (reading.leaves, reading.xcr0),
                {name: reader for name, reader in machine.sources.items() if name not in without},
                **{**options, "system": machine.system, "machine": machine.machine},
            )

        self._detect = real
        vars(module)["detect"] = detect

    def _change_installed(self, module: ModuleType) -> None:
        real: Callable[..., tuple[Installed, ...]] = module.find
        allowed = self._pretence.installed

        def find(*arguments: Any, **options: Any) -> tuple[Installed, ...]:
            found = real(*arguments, **options)
            return found if allowed is None else tuple(item for item in found if item.classifier in allowed)

        vars(module)["find"] = find

    def _change_loader(self, module: ModuleType) -> None:
        self._resolve = module.resolve
        vars(module)["resolve"] = self._guarded(stop=True)

    def _change_report(self, module: ModuleType) -> None:
        # A report does not use the library: there is nothing to stop.
        vars(module)["resolve"] = self._guarded(stop=False)

    def _guarded(self, *, stop: bool) -> Callable[..., Any]:
        """Return the loader's `resolve`, which opens nothing that the real machine cannot run."""
        real = self._resolve

        def resolve(catalogue: Catalogue, *, open_library: Callable[[str], Any] | None = None, **options: Any) -> Any:
            def opener(path: str) -> Any:
                refusal = self._refusal(catalogue, path)
                if refusal is not None:
                    if stop:
                        raise refusal
                    sys.stderr.write(f"pretend: {refusal}\n")
                    return None
                if open_library is not None:
                    return open_library(path)
                from ctypes import CDLL

                return CDLL(path)

            return real(catalogue, open_library=opener, **options)

        return resolve

    def _refusal(self, catalogue: Catalogue, path: str) -> NotOpenedError | None:
        """Return why a library is not opened, or None where the real machine can run it."""
        from variantkit.installed import read_manifest

        name = read_manifest(str(Path(path).with_name("MANIFEST")))["Classifier"]
        row = catalogue.get(name)
        if not self._pretence.open_libraries:
            why = "this is a dry run. Leave out --dry-run"
        elif row is None:
            why = f"{catalogue.distribution} has no such classifier. Reinstall it"
        else:
            lacking = self._real_host().missing(row.features)
            if not lacking:
                return None
            why = f"this machine lacks {', '.join(lacking)}. Pretend a machine that this one can stand for"
        message = (
            f"{catalogue.distribution} would load {name} from {path} on {self._machine().name}; it is not opened, because "
            f"{why}, or ask `variantkit detect`, which needs no library"
        )
        return NotOpenedError(message, name, path)

    def _real_host(self) -> Host:
        if self._real is None:
            from variantkit import host

            self._real = (self._detect or host.detect)(self._cpuid)
        return self._real
