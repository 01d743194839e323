"""Look at everything once: files here, compiled code in child processes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from variantkit import host as _host
from variantkit.cpuid import CpuidReading
from variantkit.doctor import files, indexes, machine
from variantkit.doctor.facts import Facts, Import, SelfTestRun
from variantkit.doctor.of_speed import CPUID_UNREAD
from variantkit.doctor.processes import absolute_path, start
from variantkit.environment import Settings
from variantkit.environment import read as read_settings
from variantkit.errors import ClassifierError, SettingError
from variantkit.installed import find
from variantkit.installer import installer_name
from variantkit.select import Policy, select_devices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from variantkit.catalogue import Catalogue
    from variantkit.doctor.facts import Distribution
    from variantkit.host import Host
    from variantkit.report import Package
    from variantkit.select import Installed

__all__ = ["observe"]

_T = TypeVar("_T")


def observe(
    package: Package, *, limit: float = 60.0, together: Sequence[str] = (), say: Callable[[str], None] = lambda _: None
) -> Facts:
    """Return the facts about an installed package on this machine.

    `limit` is how many seconds each child process may take, `together` are modules that are imported before the package,
    and `say` is told what goes on. Nothing that is broken makes this raise: what fails is in `Facts.unchecked`.
    """
    looking = _Looking(package, limit, say)
    return looking.facts(together)


def _entries(variable: str) -> list[str]:
    return os.environ.get(variable, "").split(os.pathsep)


class _Looking:
    """One look at a package."""

    def __init__(self, package: Package, limit: float, say: Callable[[str], None]) -> None:
        self.catalogue: Catalogue = package.catalogue
        self.folder = package.folder or ""
        self.limit = limit
        self.say = say
        self.path = absolute_path(sys.path)
        self.unchecked: list[str] = []

    def facts(self, together: Sequence[str]) -> Facts:
        catalogue = self.catalogue
        interpreter = machine.interpreter()
        cpus = machine.cpus()  # before any child adds to the load
        leaves, xcr0 = ({}, None) if interpreter.frozen else self._cpuid()
        reading = CpuidReading(leaves=leaves, xcr0=xcr0) if leaves else None
        host = _host.detect(reading, all_sources=True)
        distributions = self._distributions()
        found = self._tried("what is installed", lambda: find(catalogue, self.folder, sys.path))
        wrong = dict(self._tried("RECORD", lambda: files.overwritten(found, distributions)))
        wrong.update(self._tried("the hashes of libraries", lambda: files.wrong_hashes(found)))
        # The loader has no time for hashes; the doctor starts nothing that is not the published file.
        installed = tuple(item.replace(defect=item.defect or wrong.get(item.classifier, "")) for item in found)
        settings, setting_error = self._settings(os.environ, found, host)
        imported = Import(outcome="not run")
        tests: tuple[SelfTestRun, ...] = ()
        if not interpreter.frozen:
            imported = self._import(together, *self._trusted(settings, found, installed, host))
            tests = self._self_tests(installed, host)
        self.unchecked += [
            f"{item.name} {item.version} has no RECORD, so that its files could not be compared"
            for item in distributions
            if not item.recorded and item.metadata.endswith(".dist-info")
        ]
        return Facts(
            catalogue=catalogue,
            interpreter=interpreter,
            host=host,
            hypervisor=machine.hypervisor(leaves) if host.hypervisor else "",
            cpus=cpus,
            installed=installed,
            distributions=distributions,
            package_folders=self._tried(
                "duplicates", lambda: files.package_folders(catalogue.package, self.folder, self.path)
            ),
            classifier_folders=self._tried(
                "duplicates", lambda: files.classifier_folders(catalogue, self.folder, sys.path)
            ),
            python_path=tuple(absolute_path([entry for entry in _entries("PYTHONPATH") if entry])),
            current=next(iter(absolute_path([""])), ""),
            forced=settings.forced,
            setting_error=setting_error,
            ignored=settings.ignored,
            threads_variable=os.environ.get("OMP_NUM_THREADS", ""),
            installer=installer_name(catalogue),
            configured=indexes.configured(installer_name(catalogue), os.environ),
            imported=imported,
            self_tests=tests,
            unchecked=tuple(self.unchecked),
        )

    def _distributions(self) -> tuple[Distribution, ...]:
        catalogue = self.catalogue
        packages = {
            catalogue.distribution: catalogue.package,
            **{
                f"{catalogue.distribution}-{row.name}": f"{catalogue.package}_{row.label}"
                for row in catalogue.classifiers
            },
            "variantkit": "variantkit",
        }

        def one(name: str) -> tuple[Distribution, ...]:
            return self._tried(f"the files of {name}", lambda: files.distributions([name], self.path, packages[name]))

        # Each on its own: what one of them does to who reads it hides nothing of the others.
        return tuple(item for name in packages for item in one(name))

    def _tried(self, what: str, look: Callable[[], tuple[_T, ...]]) -> tuple[_T, ...]:
        try:
            return look()
        except Exception as error:  # noqa: BLE001 -- a broken install may raise anything; the rest is still looked at
            self.unchecked.append(f"{what} could not be looked at: {type(error).__name__}: {error}")
            return ()

    def _cpuid(self) -> tuple[dict[tuple[int, int], tuple[int, int, int, int]], int | None]:
        """Execute the package's compiled CPUID reading; in a child, because a damaged module may kill who loads it."""
        if not self.catalogue.cpuid:
            return {}, None
        self.say("asking the CPU")
        ended = start(["cpuid", self.catalogue.package], limit=self.limit, environ=os.environ)
        if ended.why:
            self.unchecked.append(f"{CPUID_UNREAD}: {ended.why}")
        rows = ended.said("leaves", [])
        return {(row[0], row[1]): (row[2], row[3], row[4], row[5]) for row in rows}, ended.said("xcr0")

    def _settings(self, environ: Mapping[str, str], installed: Sequence[Installed], host: Host) -> tuple[Settings, str]:
        try:
            settings = read_settings(self.catalogue.prefix, environ)
            policy = Policy(
                forced=settings.forced or None, cpu_priority=settings.cpu_priority, gpu_priority=settings.gpu_priority
            )
            select_devices(self.catalogue, installed, host, policy)
        except SettingError as error:
            return Settings(), str(error)
        except ClassifierError as error:
            return settings, str(error)
        return settings, ""

    def _trusted(
        self, settings: Settings, found: Sequence[Installed], installed: Sequence[Installed], host: Host
    ) -> tuple[str, str]:
        """Return what to force for the import, and what is held back by it; both "" where nothing need be.

        `installed` is `found` with those as defective that are not the published files.
        """
        bad = {item.classifier for item, raw in zip(installed, found, strict=True) if item.defect and not raw.defect}
        if not bad or (settings.forced and settings.forced not in bad):
            return "", ""
        if settings.forced:
            return "", settings.forced
        policy = Policy(cpu_priority=settings.cpu_priority, gpu_priority=settings.gpu_priority)
        chosen, instead = (
            next((each.chosen for each in select_devices(self.catalogue, items, host, policy) if each.chosen), "")
            for items in (found, installed)
        )
        # The next best is forced even where a good one is chosen: it may fail to open, and the loader goes on.
        return instead or "", (chosen or "") if chosen in bad else ""

    def _import(self, together: Sequence[str], forced: str, held_back: str) -> Import:
        if held_back and not forced:
            return Import(outcome="not run", held_back=held_back)
        self.say(f"importing {self.catalogue.package}")
        environ = dict(os.environ)
        if forced:
            environ[f"{self.catalogue.prefix}_CLASSIFIER"] = forced
        ended = start(["import", self.catalogue.package, *together], limit=self.limit, environ=environ)
        self.unchecked += [
            f"{message['module']} could not be imported: {message['problem']}"
            for message in ended.messages
            if "module" in message
        ]
        if unmapped := ended.said("unmapped"):
            self.unchecked.append(f"what is mapped into a process could not be read: {unmapped}")
        return Import(
            outcome=ended.outcome,
            why=ended.why,
            classifier=ended.said("classifier", ""),
            path=ended.said("path", ""),
            openmp=tuple(ended.said("openmp", ())),
            gil=ended.said("gil", default=False),
            held_back=held_back,
        )

    def _self_tests(self, installed: Sequence[Installed], host: Host) -> tuple[SelfTestRun, ...]:
        decisions = select_devices(self.catalogue, installed, host)
        obstacles = {
            name: why for decision in decisions for name, why in decision.rejected if name not in decision.runnable
        }
        runs = []
        for item in installed:
            version = (
                f"it is of version {item.version}, and {self.catalogue.distribution} is {self.catalogue.version}"
                if item.version != self.catalogue.version
                else ""
            )
            why = obstacles.get(item.classifier) or item.defect or version
            if why:
                runs.append(SelfTestRun(classifier=item.classifier, outcome="not run", why=why))
            else:
                runs.append(self._self_test(item.classifier))
        return tuple(runs)

    def _self_test(self, classifier: str) -> SelfTestRun:
        self.say(f"testing {classifier}")
        prefix = self.catalogue.prefix
        environ: dict[str, Any] = {**os.environ, f"{prefix}_CLASSIFIER": classifier, f"{prefix}_WARN": "0"}
        environ.pop(f"{prefix}_LOG", None)
        ended = start(["selftest", self.catalogue.package, classifier], limit=self.limit, environ=environ)
        return SelfTestRun(
            classifier=classifier,
            outcome=ended.outcome,
            why=ended.why,
            check=ended.problems[0][0] if ended.problems else ended.said("check", ""),
            checks=ended.said("checks", 0),
            threads=ended.said("threads", 0),
            seconds=ended.seconds,
        )
