"""Findings about what is installed: damage, mixtures, duplicates, wheels for something else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit import platforms
from variantkit.doctor.findings import Finding
from variantkit.doctor.words import listed, mending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.doctor.facts import Distribution, Facts

__all__ = ["findings"]


def findings(facts: Facts) -> Iterator[Finding]:
    """Give what is wrong with the installed files."""
    yield from _damage(facts)
    yield from _libraries(facts)
    yield from _versions(facts)
    yield from _duplicates(facts)
    for item in facts.distributions:
        yield from _wheel(facts, item)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _classifier(facts: Facts, item: Distribution) -> str | None:
    """Return the classifier whose wheel a distribution is, "" for the base, None for another one."""
    names = {_normal(facts.catalogue.distribution): ""}
    names |= {_normal(f"{facts.catalogue.distribution}-{name}"): name for name in facts.catalogue.names}
    return names.get(_normal(item.name))


def _reinstall(facts: Facts, item: Distribution) -> str:
    name = _classifier(facts, item)
    return mending(facts, name, other=f"{item.name}=={_wanted(facts, item) or item.version}")


def _damage(facts: Facts) -> Iterator[Finding]:
    for item in facts.distributions:
        if item.damage:
            yield Finding(
                rule="package-damaged",
                message=f"{item.name} {item.version} in {item.folder} is not as it was installed: "
                f"{listed(item.damage, '; ')}.",
                mend=_reinstall(facts, item),
            )


def _libraries(facts: Facts) -> Iterator[Finding]:
    defects = [(item.classifier, item.defect) for item in facts.installed if item.defect]
    for name, why in (*defects, *facts.wrong_hashes):
        yield Finding(
            rule="library-damaged",
            message=f"The classifier {name} cannot be trusted: {why}.",
            mend=mending(facts, name),
        )


def _versions(facts: Facts) -> Iterator[Finding]:
    catalogue = facts.catalogue
    wrong = {
        item.classifier: item.version
        for item in facts.installed
        if not item.defect and item.version != catalogue.version
    }
    for name, version in wrong.items():
        yield Finding(
            rule="version-mismatch",
            message=f"The classifier {name} is of version {version}, and {catalogue.distribution} is {catalogue.version}; "
            "it is not loaded.",
            mend=mending(facts, name),
        )
    for item in facts.distributions:
        wanted = _wanted(facts, item)
        if wanted and item.version != wanted and _classifier(facts, item) not in wrong:
            yield Finding(
                rule="version-mismatch",
                message=f"{item.name} {item.version} is installed, and {catalogue.distribution} {catalogue.version} needs "
                f"{wanted}.",
                mend=_reinstall(facts, item),
            )


def _wanted(facts: Facts, item: Distribution) -> str:
    """Return the version that a distribution should have, "" where it is not said."""
    if _classifier(facts, item) is not None:
        return facts.catalogue.version
    for other in facts.distributions:
        if _classifier(facts, other) == "":
            for requirement in other.requires:
                match = re.match(r"\s*([A-Za-z0-9._-]+)\s*\(?==\s*([A-Za-z0-9.!+_-]+)", requirement)
                if match and _normal(match[1]) == _normal(item.name):
                    return match[2]
    return ""


def _duplicates(facts: Facts) -> Iterator[Finding]:
    by_name: dict[str, list[Distribution]] = {}
    for item in facts.distributions:
        by_name.setdefault(_normal(item.name), []).append(item)
    for items in by_name.values():
        if len(items) > 1:
            places = " and ".join(f"{item.version} in {item.metadata}" for item in items)
            yield Finding(
                rule="duplicate",
                message=f"{items[0].name} is installed {len(items)} times: {places}.",
                mend=f"{_uninstall(facts, items[0].name)}, once for each of them, then {_reinstall(facts, items[0])}",
            )
    if len(facts.package_folders) > 1:
        used, *others = facts.package_folders
        yield Finding(
            rule="duplicate",
            message=f"The package {facts.catalogue.package} is taken from {used}, and is in {' and '.join(others)}, too.",
            mend=f"remove the folder that is not wanted, or take {Path(others[0]).parent} out of PYTHONPATH",
        )
    for name, folders in facts.classifier_folders:
        if len(folders) > 1:
            yield Finding(
                rule="duplicate",
                message=f"The library of {name} is in {' and in '.join(folders)}.",
                mend=_rid(facts, name, folders),
            )


def _rid(facts: Facts, name: str, folders: tuple[str, ...]) -> str:
    wheel = f"{facts.catalogue.distribution}-{name}"
    label = f"{facts.catalogue.package}_{name.replace('-', '_')}"
    if sum(Path(folder).name == label for folder in folders) == 1:
        # A variant wheel (PEP 825) holds what the classifier wheel holds.
        return _uninstall(facts, wheel)
    return f"remove {folders[-1]}"


def _uninstall(facts: Facts, name: str) -> str:
    if facts.installer == "uv":
        return f"uv pip uninstall {name}"
    return f"conda remove {name}" if facts.installer == "conda" else f"python -m pip uninstall {name}"


def _wheel(facts: Facts, item: Distribution) -> Iterator[Finding]:
    python = facts.interpreter
    if not item.tags or not python.tag or not python.platform_tag:
        return
    for tag in item.tags:
        tags, abi, platform = [*tag.split("-"), "", ""][:3]
        if python.tag in platforms.pythons(tags, abi) and platforms.covers(platform, python.platform_tag):
            return
    mend = _reinstall(facts, item)
    if python.libc.startswith("musl") and any("manylinux" in tag for tag in item.tags):
        mend = f"use a Python that runs on glibc (Debian's image instead of Alpine's), or build from source: {mend}"
    yield Finding(
        rule="wrong-wheel",
        message=f"{item.name} was installed from a wheel for {listed(item.tags)}, and this is {python.tag} on "
        f"{python.platform_tag}{f' ({python.libc})' if python.libc else ''}.",
        mend=mend,
    )
