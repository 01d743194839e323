"""What `detect` says about one package on one machine: gathered as data, then shown as text or as JSON.

Nothing is decided here: every sentence comes from the Host and the Decision.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from variantkit import host as _host
from variantkit._record import Record
from variantkit.environment import read as read_settings
from variantkit.errors import (
    ClassifierError,
    LibraryOpenError,
    NoUsableClassifierError,
    PackageNotFoundError,
    UnknownClassifierError,
)
from variantkit.installed import find
from variantkit.installer import command
from variantkit.loader import resolve
from variantkit.select import Policy, select_devices

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from variantkit.catalogue import Catalogue, Classifier
    from variantkit.environment import Settings
    from variantkit.host import Host, RawCpuid
    from variantkit.select import Decision, Installed

__all__ = ["SCHEMA_VERSION", "Package", "gather", "locate", "render", "why_not"]

SCHEMA_VERSION = 1


class Package:
    """A package that is loaded through variantkit: its catalogue, and its folder where it is installed.

    Its compiled functions are taken from its module without importing the package, which would load a classifier.
    """

    def __init__(self, catalogue: Catalogue, folder: str | None) -> None:
        self.catalogue = catalogue
        self.folder = folder
        self._modules: dict[str, ModuleType | None] = {}

    def cpuid(self) -> Callable[[], RawCpuid] | None:
        """Return the package's compiled CPUID reading, or None where it has none."""
        reading: Callable[[], RawCpuid] | None = self._function(self.catalogue.cpuid)
        return reading

    def opener(self) -> Callable[[str], Any] | None:
        """Return what the package opens its libraries with, or None where that is ctypes."""
        opener: Callable[[str], Any] | None = self._function(self.catalogue.opener)
        return opener or (self._cannot_open if self.catalogue.opener else None)

    def _cannot_open(self, path: str) -> Any:
        msg = f"{path}: {self.catalogue.opener} cannot be imported. Reinstall {self.catalogue.distribution}."
        raise LibraryOpenError(msg)

    def _function(self, place: str) -> Any:
        name, _, function = place.partition(":")
        if not name or self.folder is None:
            return None
        if name not in self._modules:
            self._modules[name] = sys.modules.get(name) or self._load(name, self.folder)
        return getattr(self._modules[name], function, None)

    def _load(self, name: str, folder: str) -> ModuleType | None:
        # An editable install keeps its Python files in one place and its compiled ones in another.
        folders = [folder, *(str(Path(entry, self.catalogue.package)) for entry in sys.path if entry)]
        spec = importlib.machinery.PathFinder.find_spec(name, folders)
        try:
            return _executed(spec) if spec is not None else None
        except ImportError:
            return None


def locate(package: str, fallback: str | None = None) -> Package:
    """Find an installed package by name, or take the catalogue in the file `fallback`.

    Raises PackageNotFoundError when there is neither.
    """
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, "_catalogue.py").absolute()
        if file.exists():
            # In a checkout the package is there without a library; it counts as not installed.
            return Package(_read_catalogue(str(file)), str(file.parent))
    if fallback is not None:
        return Package(_read_catalogue(fallback), None)
    msg = (
        f"There is no package {package!r} here that variantkit loads. Install it with this Python, {sys.executable}, "
        f"or name one that is installed."
    )
    raise PackageNotFoundError(msg)


def _read_catalogue(file: str) -> Catalogue:
    spec = importlib.util.spec_from_file_location("_variantkit_catalogue", file)
    if spec is None:
        msg = f"{file} is not a Python file. Reinstall the package it belongs to."
        raise PackageNotFoundError(msg)
    catalogue: Catalogue = _executed(spec).CATALOGUE
    return catalogue


def _executed(spec: importlib.machinery.ModuleSpec) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    if spec.loader is not None:
        spec.loader.exec_module(module)
    return module


def gather(package: Package, host: Host | None = None) -> dict[str, Any]:
    """Return the report as plain data; `host` is a recorded machine, otherwise this one is detected from all sources.

    The installed classifiers are those of this environment either way. On this machine their libraries are opened, as the
    loader does it, so that nothing is promised that `import` does not keep.
    """
    catalogue = package.catalogue
    recorded = host is not None
    if host is None:
        host = _host.detect(package.cpuid(), all_sources=True)
    opener = (lambda path: path) if recorded else package.opener()
    settings = read_settings(catalogue.prefix, os.environ)
    best = _outcome(package, host, settings.replace(forced=""), opener)
    used = _outcome(package, host, settings, opener) if settings.forced else best
    shown = used if used.chosen else best
    recommended = best.decision.recommended
    better = recommended is not None and best.chosen != recommended
    return {
        "schema": SCHEMA_VERSION,
        "distribution": catalogue.distribution,
        "version": catalogue.version,
        "python": sys.executable,
        "recorded": recorded,
        "host": _describe(host),
        "classifiers": [_classifier(row, shown, chosen=row.name == used.chosen) for row in catalogue.classifiers],
        "forced": settings.forced or None,
        "loaded": used.loaded,
        "reason": used.reason,
        "recommended": recommended,
        "better": better,
        "command": _command(catalogue, best) if better else None,
    }


class _Outcome(Record):
    """What the loader makes of the installed classifiers under some settings."""

    decision: Decision
    installed: tuple[Installed, ...]
    chosen: str | None
    reason: str

    @property
    def loaded(self) -> dict[str, str] | None:
        """The classifier that is loaded, with the path of its library."""
        item = next((each for each in self.installed if each.classifier == self.chosen), None)
        return None if item is None else {"classifier": item.classifier, "path": item.path}


def _outcome(package: Package, host: Host, settings: Settings, opener: Callable[[str], Any] | None) -> _Outcome:
    catalogue = package.catalogue
    policy = Policy(cpu_priority=settings.cpu_priority, gpu_priority=settings.gpu_priority)
    if package.folder is None:
        decision = select_devices(catalogue, (), host, policy)[0]
        return _Outcome(decision=decision, installed=(), chosen=None, reason=decision.reason)
    try:
        found = resolve(catalogue, package_dir=package.folder, host=host, settings=settings, open_library=opener)
    except NoUsableClassifierError as error:
        if error.decision is not None:
            return _Outcome(
                decision=error.decision, installed=error.installed, chosen=None, reason=error.decision.reason
            )
        failure: ClassifierError = error
    except ClassifierError as error:
        failure = error
    else:
        return _Outcome(
            decision=found.decision, installed=found.installed, chosen=found.classifier, reason=found.decision.reason
        )
    # The forced classifier is not to be had; what would be without it is said by the other outcome.
    installed = find(catalogue, package.folder)
    decision = select_devices(catalogue, installed, host, policy)[0]
    return _Outcome(decision=decision, installed=installed, chosen=None, reason=str(failure))


def _describe(host: Host) -> dict[str, Any]:
    return {
        "platform": host.platform,
        "vendor": host.vendor,
        "brand": host.brand,
        "hypervisor": host.hypervisor,
        "features": sorted(host.features),
        "sources": [{"name": source.name, "features": sorted(source.features)} for source in host.sources],
        "disagreements": host.disagreements,
        "notes": list(host.notes),
    }


def _classifier(row: Classifier, outcome: _Outcome, *, chosen: bool) -> dict[str, Any]:
    decision = outcome.decision
    item = next((each for each in outcome.installed if each.classifier == row.name), None)
    return {
        "name": row.name,
        "summary": row.summary,
        "rank": row.rank,
        "runnable": row.name in decision.runnable,
        "missing": list(dict(decision.missing).get(row.name, ())),
        "installed": None
        if item is None
        else {"version": item.version, "path": item.path, "origin": item.origin, "defect": item.defect},
        "chosen": chosen,
        "why_not": decision.why_not(row.name),
    }


def _command(catalogue: Catalogue, outcome: _Outcome) -> str:
    best = outcome.decision.recommended
    extra = None if best == catalogue.base else best
    return command(catalogue, extra, repair=any(item.classifier == best for item in outcome.installed))


def render(report: dict[str, Any]) -> str:
    """Return the report as text for a person."""
    host = report["host"]
    machine = host["brand"] or host["vendor"] or "unknown CPU"
    where = "a recorded machine" if report["recorded"] else "this machine"
    lines = [f"{report['distribution']} {report['version']} on {where}", ""]
    lines.append(f"machine      {host['platform']}, {machine}{', virtual' if host['hypervisor'] else ''}")
    lines.append(
        f"sources      {', '.join(source['name'] for source in host['sources']) or 'none'}; {_agreement(host)}"
    )
    lines += [f"note         {note}" for note in host["notes"]]
    lines += ["", f"{'classifier':<18} {'runs here':<10} {'installed':<12} why not"]
    for row in reversed(report["classifiers"]):
        installed = row["installed"]
        state = "no" if installed is None else "damaged" if installed["defect"] else installed["version"]
        lines.append(
            f"{row['name']:<18} {'yes' if row['runnable'] else 'no':<10} {state:<12} {row['why_not']}".rstrip()
        )
    lines += ["", f"loaded       {_loaded_text(report)}"]
    if report["loaded"]:
        lines.append(f"reason       {report['reason']}")
    lines.append(f"recommended  {report['recommended'] or 'none can run here'}")
    if report["command"]:
        lines.append(f"install      {report['command']}")
    elif report["recommended"]:
        lines.append("install      nothing: the best classifier for this machine is installed")
    return "\n".join(lines)


def _agreement(host: dict[str, Any]) -> str:
    if not host["disagreements"]:
        return "they agree" if len(host["sources"]) > 1 else "nothing to compare"
    parts = []
    for feature, answers in host["disagreements"].items():
        yes = ", ".join(name for name, says in answers.items() if says)
        no = ", ".join(name for name, says in answers.items() if not says)
        parts.append(f"{feature} (yes: {yes}; no: {no})")
    return f"they disagree, and only what all have is used: {', '.join(parts)}"


def _loaded_text(report: dict[str, Any]) -> str:
    loaded = report["loaded"]
    if loaded is None:
        return f"nothing: {report['reason']}"
    verb = "would be loaded from" if report["recorded"] else "from"
    forced = ", forced by the environment" if report["forced"] else ""
    return f"{loaded['classifier']} {verb} {loaded['path']}{forced}"


def why_not(report: dict[str, Any], name: str) -> str:
    """Return why one classifier of the report is not loaded, with what each source says of what is missing.

    Raises UnknownClassifierError when the catalogue has no such classifier.
    """
    row = next((row for row in report["classifiers"] if row["name"] == name), None)
    if row is None:
        known = ", ".join(row["name"] for row in report["classifiers"])
        msg = f"{report['distribution']} has no classifier {name!r}. Choose one of: {known}."
        raise UnknownClassifierError(msg)
    if row["chosen"]:
        return f"{name} is the one that is loaded: {report['reason']}"
    lines = [f"{name} is not loaded: {row['why_not']}."]
    for feature in row["missing"]:
        says = {source["name"]: feature in source["features"] for source in report["host"]["sources"]}
        words = ", ".join(f"{source}: {'yes' if has else 'no'}" for source, has in says.items())
        lines.append(f"  {feature:<12} {words or 'no source could be read'}")
    lines += [f"  note: {note}" for note in report["host"]["notes"]]
    if row["runnable"] and row["installed"] is None:
        lines.append(f"  {report['command']}" if report["recommended"] == name else "")
    return "\n".join(line for line in lines if line)
