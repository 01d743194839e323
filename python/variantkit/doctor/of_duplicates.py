"""Findings about what is installed twice: which copy is used, which one lies there too, and what removes one of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.doctor.findings import Finding
from variantkit.doctor.of_files import reinstalling
from variantkit.doctor.words import library_folder, normal, owner, root, uninstalling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from variantkit.doctor.facts import Distribution, Facts

__all__ = ["findings"]


def findings(facts: Facts) -> Iterator[Finding]:
    """Give each pair of copies once, with everything that is in both."""
    by_name: dict[str, list[Distribution]] = {}
    for item in facts.distributions:
        by_name.setdefault(normal(item.name), []).append(item)
    yield from _in_one_folder(facts, by_name)
    apart: dict[tuple[str, str], dict[str, None]] = {}
    # The package first: a library may be taken from the other copy, and that is the same pair.
    for name, folders in (*_package(facts), *_distributions(facts, by_name), *_libraries(facts)):
        used, *others = dict.fromkeys(folders)
        for other in others:
            pair = (other, used) if (other, used) in apart else (used, other)
            apart.setdefault(pair, {})[name] = None
    for (used, other), names in apart.items():
        yield _copies(facts, list(names), used, other, by_name)
    yield from _wheel_and_variant(facts)


def _in_one_folder(facts: Facts, by_name: dict[str, list[Distribution]]) -> Iterator[Finding]:
    """Give distributions with several .dist-info in one folder: one release was copied over another."""
    places: dict[str, dict[str, list[Distribution]]] = {}
    for name, items in by_name.items():
        for item in items:
            places.setdefault(item.folder, {}).setdefault(name, []).append(item)
    for folder, there in places.items():
        twice = {name: items for name, items in there.items() if len(items) > 1}
        if not twice:
            continue
        words = "; ".join(
            f"{items[0].name} {' and '.join(sorted(item.version for item in items))}" for items in twice.values()
        )
        # An installer removes one at a time.
        times = max(len(items) for items in twice.values())
        remove = uninstalling(facts, [items[0].name for items in twice.values()], yes=True)
        again = [reinstalling(facts, items[0]) for items in twice.values()]
        yield Finding(
            rule="duplicate",
            message=f"Several releases lie over each other in {folder}: {words}.",
            mend=" && ".join([*[remove] * (1 if facts.installer == "uv" else times), *_together(again)]),
            about=frozenset(twice),
        )


def _together(commands: Sequence[str]) -> list[str]:
    """Return commands that differ in their last word only as one."""
    begin = commands[0].rpartition(" ")[0]
    if any(each.rpartition(" ")[0] != begin for each in commands):
        return list(commands)
    return [" ".join([begin, *(each.rpartition(" ")[2] for each in commands)])]


def _distributions(facts: Facts, by_name: dict[str, list[Distribution]]) -> Iterator[tuple[str, list[str]]]:
    used = root(facts.package_folders[0]) if facts.package_folders else ""
    for items in by_name.values():
        folders = [item.folder for item in items]
        yield items[0].name, sorted(folders, key=lambda folder: folder != used)


def _package(facts: Facts) -> Iterator[tuple[str, list[str]]]:
    if facts.package_folders:
        yield facts.catalogue.distribution, [root(folder) for folder in facts.package_folders]


def _libraries(facts: Facts) -> Iterator[tuple[str, list[str]]]:
    used = {item.classifier: str(library_folder(item)) for item in facts.installed}
    for name, folders in facts.classifier_folders:
        first = sorted(folders, key=lambda folder: folder != used.get(name))
        yield owner(facts, name), [root(folder) for folder in first]


def _copies(
    facts: Facts, names: Sequence[str], used: str, other: str, by_name: dict[str, list[Distribution]]
) -> Finding:
    versions = {
        folder: sorted({item.version for item in facts.distributions if item.folder == folder and item.name in names})
        for folder in (used, other)
    }
    told = versions if all(versions.values()) and versions[used] != versions[other] else {}
    first, second = (
        f"{folder}{f' ({words})' if (words := ', '.join(told.get(folder, ()))) else ''}" for folder in (used, other)
    )
    removed, mend = _removal(facts, names, used, other, by_name)
    what = facts.catalogue.package if facts.catalogue.distribution in names else "it"
    return Finding(
        rule="duplicate",
        message=f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} there twice: in {first}, where {what} is imported "
        f"from, and in {second}.",
        mend=mend,
        about=frozenset(f"{normal(name)} in {removed}" for name in names) if removed else frozenset(),
    )


def _removal(
    facts: Facts, names: Sequence[str], used: str, other: str, by_name: dict[str, list[Distribution]]
) -> tuple[str, str]:
    """Return the folder whose copy is removed, "" where that is for the user to say, and the command that does it."""
    for folder in (used, other):
        if folder in facts.python_path:
            rest = os.pathsep.join(entry for entry in facts.python_path if entry != folder)
            if facts.host.system == "windows":
                return folder, f"set PYTHONPATH={rest}"
            return folder, f'export PYTHONPATH="{rest}"' if rest else "unset PYTHONPATH"
        if folder == facts.current:
            return folder, f"cd {Path(folder).anchor}  # {folder} is in the path as the current folder only"
    recorded = {
        folder: [name for name in names if any(item.folder == folder for item in by_name.get(normal(name), ()))]
        for folder in (used, other)
    }
    stray = next((folder for folder in (other, used) if not recorded[folder]), "")
    if stray:
        kept = recorded[used if stray == other else other]
        paths = " and ".join(_paths(facts, stray))
        if not kept:
            return "", f"remove {paths}"
        return "", f"remove {paths}; or, to keep that copy, {uninstalling(facts, kept)}"
    # An installer takes the first that it finds.
    first = {by_name[normal(name)][0].folder for name in (recorded[used] or names)}
    return (first.pop() if len(first) == 1 else ""), uninstalling(facts, recorded[used])


def _paths(facts: Facts, folder: str) -> list[str]:
    """Return the folders of the package and of its libraries in one folder of the path."""
    package = [each for each in facts.package_folders if root(each) == folder]
    libraries = [each for _, folders in facts.classifier_folders for each in folders if root(each) == folder]
    return [*package, *(each for each in libraries if not any(Path(inner) in Path(each).parents for inner in package))]


def _wheel_and_variant(facts: Facts) -> Iterator[Finding]:
    for name, folders in facts.classifier_folders:
        by_root: dict[str, list[str]] = {}
        for folder in folders:
            by_root.setdefault(root(folder), []).append(folder)
        for twice in by_root.values():
            if len(twice) > 1:
                # A variant wheel (PEP 825) holds what the classifier wheel holds.
                yield Finding(
                    rule="duplicate",
                    message=f"The library of {name} is in {' and in '.join(twice)}.",
                    mend=uninstalling(facts, [f"{facts.catalogue.distribution}-{name}"]),
                    about=frozenset({normal(f"{facts.catalogue.distribution}-{name}")}),
                )
