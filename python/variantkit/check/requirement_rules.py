"""Rules on what wheels require: extras, pins, and the same in each wheel of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from variantkit import generate
from variantkit.check.metadata import Metadata, active, pinned, requirement
from variantkit.check.registry import Problem, rule
from variantkit.matrix import PLATFORMS
from variantkit.platforms import environment, systems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.check.contents import Contents
    from variantkit.check.model import Family, Files, Release

__all__: list[str] = []


@rule(
    "VK305 extras-can-be-installed",
    what="What an extra pins of the same project is among the files, in that very version and for that platform.",
    why="`pip install 'NAME[extra]'` must not fail, nor find the wheel of another version.",
    mend="Put the wheel beside the others, or build it.",
)
def _check_extras_can_be_installed(files: Files) -> Iterator[Problem]:
    for release in files.releases.values():
        reported = set()
        for wheel in release.plain:
            for system in sorted(systems(wheel.name.platform) & set(PLATFORMS)):
                for extra, name, version in _pins(files, wheel, system):
                    if (system, extra, name, version) in reported or _is_there(files, name, version, system):
                        continue
                    reported.add((system, extra, name, version))
                    yield Problem(
                        wheel.path,
                        f"its extra {extra} requires {name} {version} on {system}, and there is no such wheel",
                    )


def _pins(files: Files, wheel: Contents, system: str) -> Iterator[tuple[str, str, str]]:
    """Return what the extras of a wheel pin among the project's own wheels, or those that are here, on a platform."""
    for extra in wheel.metadata.all("Provides-Extra"):
        for name, wanted in active(wheel.metadata, environment(system), extra):
            version = pinned(wanted)
            if version is not None and (name in files.projects or name.startswith(f"{wheel.name.project}-")):
                yield extra, name, version


def _is_there(files: Files, name: str, version: str, system: str) -> bool:
    try:
        release = files.releases.get((name, Version(version)))
    except InvalidVersion:
        return False
    return release is not None and any({"any", system} & systems(wheel.name.platform) for wheel in release.plain)


@rule(
    "VK306 extras-pins",
    what="Extras pin classifier wheels to the very version of the base, as classifiers.toml makes them.",
    why="A base and a classifier of different versions do not load together; the loader refuses the mixture.",
    mend="Run `variantkit matrix --write`, and build the base wheels again.",
)
def _check_extras_pins(files: Files) -> Iterator[Problem]:
    family = files.family
    known: dict[Metadata, tuple[str, ...]] = {}
    for release in files.releases.values():
        for wheel in release.plain:
            for extra, name, wanted in _own(wheel, release):
                version = pinned(wanted)
                if version is None or Version(version) != release.version:
                    yield Problem(
                        wheel.path, f"its extra {extra} requires {name}{wanted.specifier} and not =={release.version}"
                    )
            if family is not None and family.release is release:
                if wheel.metadata not in known:
                    known[wheel.metadata] = tuple(_drifted(family, wheel))
                yield from (Problem(wheel.path, what) for what in known[wheel.metadata])


def _own(wheel: Contents, release: Release) -> Iterator[tuple[str, str, Requirement]]:
    """Return the requirements of extras on classifier wheels, as far as their names tell."""
    seen = set()
    for extra in wheel.metadata.all("Provides-Extra"):
        for system in systems(wheel.name.platform) & set(PLATFORMS):
            for name, wanted in active(wheel.metadata, environment(system), extra):
                if name.startswith(f"{release.project}-") and (extra, str(wanted)) not in seen:
                    seen.add((extra, str(wanted)))
                    yield extra, name, wanted


def _drifted(family: Family, wheel: Contents) -> Iterator[str]:
    """Return where the extras come to something else on some platform than the matrix makes them come to."""
    table = generate.extras(family.matrix, family.version)
    prefix = f"{canonicalize_name(family.matrix.project.distribution)}-"
    ours = {f"{prefix}{row.name}" for row in family.matrix.rows}
    for extra, lines in table.items():
        if canonicalize_name(extra) not in {canonicalize_name(each) for each in wheel.metadata.all("Provides-Extra")}:
            yield f"it has no extra {extra}, and classifiers.toml makes one"
            continue
        for system in PLATFORMS:
            machine = environment(system)
            parsed = [Requirement(line) for line in lines]
            wanted = {
                (canonicalize_name(each.name), each.specifier)
                for each in parsed
                if each.marker is None or each.marker.evaluate(machine)
            }
            found = {(name, each.specifier) for name, each in active(wheel.metadata, machine, extra) if name in ours}
            if wanted != found:
                spelled = [
                    ", ".join(sorted(f"{name}{pin}" for name, pin in each)) or "nothing" for each in (found, wanted)
                ]
                yield f"its extra {extra} requires {spelled[0]} on {system}, and classifiers.toml makes that {spelled[1]}"
                break


@rule(
    "VK307 same-metadata",
    what="All plain wheels of a release have the same requirements, extras and Requires-Python.",
    why="Resolvers read one wheel of a release and take the others for the same; a lock file made on one machine would be "
    "wrong on another.",
    mend="Build all base wheels from one state of the sources.",
)
def _check_same_metadata(files: Files) -> Iterator[Problem]:
    for release in files.releases.values():
        first = None
        for wheel in release.plain:
            key = {
                field: tuple(sorted(wheel.metadata.all(field)))
                for field in ("Requires-Dist", "Provides-Extra", "Requires-Python")
            }
            if first is None:
                first = wheel, key
            for field, values in key.items():
                if values != first[1][field]:
                    yield Problem(wheel.path, f"its {field} is not that of {first[0].path.name}")


@rule(
    "VK308 classifier-requires-base",
    what="A classifier wheel requires the base distribution in its own version, always, and what its row requires.",
    why="Otherwise an upgrade of the base alone leaves the classifier behind, and the loader refuses it.",
    mend="Build the classifier wheel again with `variantkit build`.",
)
def _check_classifier_requires_base(files: Files) -> Iterator[Problem]:
    rows = {wheel.path: row for row, wheel in files.family.classifiers} if files.family is not None else {}
    for release in files.releases.values():
        for wheel in release.plain:
            bases = {canonicalize_name(fields.get("Distribution", "")) for fields in wheel.manifests.values()}
            for base in sorted(bases - {"", release.project}):
                if not any(
                    canonicalize_name(each.name) == base
                    and each.marker is None
                    and (version := pinned(each)) is not None
                    and Version(version) == release.version
                    for each in wheel.metadata.requirements
                ):
                    yield Problem(wheel.path, f"it does not require {base}=={release.version}")
            if wheel.path in rows:
                there = {str(each) for each in wheel.metadata.requirements}
                for text in rows[wheel.path].requires:
                    if str(requirement(text)) not in there:
                        yield Problem(wheel.path, f"it does not require {text}, which its row in classifiers.toml does")
