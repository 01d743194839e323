"""Findings about what is installed: damage, mixtures, wheels for something else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from variantkit import platforms
from variantkit.doctor.findings import Finding
from variantkit.doctor.words import about, library_folder, listed, mending, normal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.doctor.facts import Distribution, Facts

__all__ = ["findings", "reinstalling"]


def findings(facts: Facts) -> Iterator[Finding]:
    """Give what is wrong with the installed files."""
    yield from _damage(facts)
    yield from _libraries(facts)
    yield from _versions(facts)
    for item in facts.distributions:
        yield from _wheel(facts, item)


def _classifier(facts: Facts, item: Distribution) -> str | None:
    """Return the classifier whose wheel a distribution is, "" for the base, None for another one."""
    names = {normal(facts.catalogue.distribution): ""}
    names |= {normal(f"{facts.catalogue.distribution}-{name}"): name for name in facts.catalogue.names}
    return names.get(normal(item.name))


def reinstalling(facts: Facts, item: Distribution) -> str:
    """Return the command that installs a distribution again, in the version that it should have."""
    name = _classifier(facts, item)
    return mending(facts, name, other=f"{item.name}=={_wanted_version(facts, item) or item.version}")


def _about(item: Distribution) -> frozenset[str]:
    name = normal(item.name)
    return frozenset({name, f"{name} in {item.folder}"})


def _damage(facts: Facts) -> Iterator[Finding]:
    # What is wrong with these is told of the library.
    told = {
        path for item in facts.installed if item.defect for path in (item.path, str(library_folder(item) / "MANIFEST"))
    }
    for item in facts.distributions:
        damage = [str(each) for each in item.damage if each.path not in told]
        if damage:
            yield Finding(
                rule="package-damaged",
                message=f"{item.name} {item.version} in {item.folder} is not as it was installed: {listed(damage, '; ')}.",
                mend=reinstalling(facts, item),
                about=_about(item),
            )


def _libraries(facts: Facts) -> Iterator[Finding]:
    for item in facts.installed:
        if item.defect:
            yield Finding(
                rule="library-damaged",
                message=f"The classifier {item.classifier} cannot be trusted: {item.defect}.",
                mend=mending(facts, item.classifier),
                about=about(facts, item.classifier),
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
            about=about(facts, name),
        )
    for item in facts.distributions:
        wanted = _wanted_version(facts, item)
        if wanted and item.version != wanted and _classifier(facts, item) not in wrong:
            yield Finding(
                rule="version-mismatch",
                message=f"{item.name} {item.version} is installed, and {catalogue.distribution} {catalogue.version} needs "
                f"{wanted}.",
                mend=reinstalling(facts, item),
                about=_about(item),
            )


def _wanted_version(facts: Facts, item: Distribution) -> str:
    """Return the version that a distribution should have, "" where it is not said."""
    if _classifier(facts, item) is not None:
        return facts.catalogue.version
    for other in facts.distributions:
        if _classifier(facts, other) == "":
            for requirement in other.requires:
                match = re.match(r"\s*([A-Za-z0-9._-]+)\s*\(?==\s*([A-Za-z0-9.!+_-]+)", requirement)
                if match and normal(match[1]) == normal(item.name):
                    return match[2]
    return ""


def _wheel(facts: Facts, item: Distribution) -> Iterator[Finding]:
    python = facts.interpreter
    if not item.tags or not python.tag or not python.platform_tag:
        return
    for tag in item.tags:
        tags, abi, platform = [*tag.split("-"), "", ""][:3]
        if python.tag in platforms.pythons(tags, abi) and platforms.covers(platform, python.platform_tag):
            return
    mend = reinstalling(facts, item)
    if python.libc.startswith("musl") and any("manylinux" in tag for tag in item.tags):
        mend = f"use a Python that runs on glibc (Debian's image instead of Alpine's), or build from source: {mend}"
    yield Finding(
        rule="wrong-wheel",
        message=f"{item.name} was installed from a wheel for {listed(item.tags)}, and this is {python.tag} on "
        f"{python.platform_tag}{f' ({python.libc})' if python.libc else ''}.",
        mend=mend,
        about=_about(item),
    )
