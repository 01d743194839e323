"""Rules on labels and what they stand for (PEP 825, PEP 850)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from variantkit import variants
from variantkit.check.registry import Problem, rule
from variantkit.errors import VariantError
from variantkit.variant_problems import problems
from variantkit.variants import NULL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from variantkit.check.model import Files, Release

__all__: list[str] = []


@rule(
    "VK101 label-without-metadata",
    what="A wheel has a variant.json exactly where its name has a label.",
    why="Installers read what a label means from this file, and take a wheel without a label for one that fits everybody.",
    mend="Assemble the wheel again.",
)
def _check_presence(files: Files) -> Iterator[Problem]:
    for wheel in files.wheels:
        if wheel.name.label and wheel.variants is None:
            yield Problem(wheel.path, f"its name has the label {wheel.name.label}, and there is no variant.json in it")
        elif wheel.variants is not None and not wheel.name.label:
            yield Problem(wheel.path, "it has a variant.json, and its name has no label")


@rule(
    "VK102 variant-metadata",
    what="Variant metadata is what installers expect: its format, namespaces, providers, and sorted values.",
    why="uv passes over a variant whose provider it does not know by the letter, and takes a whole release for unavailable "
    "where it finds a key that it does not know.",
    mend="Assemble the wheels again, or bring them up to date with `variantkit assemble --migrate`.",
)
def _check_metadata(files: Files) -> Iterator[Problem]:
    for wheel in files.wheels:
        for problem in wheel.variants.problems if wheel.variants is not None and wheel.name.label else ():
            yield Problem(wheel.path, f"variant.json: {problem}")
    for table in files.tables:
        for problem in table.variants.problems:
            yield Problem(table.path, problem)


@rule(
    "VK103 label-is-one-to-one",
    what="In a release, a label stands for the same properties in each wheel, and no other label stands for them.",
    why="Installers put the wheels of a release into one group per label, and choose the group and not the wheel.",
    mend="Assemble all wheels of the release again, from one classifiers.toml.",
)
def _check_one_to_one(files: Files) -> Iterator[Problem]:
    for release in files.releases.values():
        meaning: dict[str, str] = {}
        owner: dict[str, str] = {}
        for label, path, key in _properties(release):
            if meaning.setdefault(label, key) != key:
                yield Problem(
                    path, f"the label {label} stands for {key} here and for {meaning[label]} in another wheel"
                )
            elif owner.setdefault(key, label) != label:
                yield Problem(path, f"the labels {owner[key]} and {label} both stand for {key}")


def _properties(release: Release) -> Iterator[tuple[str, Path, str]]:
    """Return each label of a release once per meaning, a wheel that has it, and its properties in one spelling."""
    seen = set()
    for wheel in release.labelled:
        document = wheel.variants.document if wheel.variants is not None else None
        properties = document["variants"].get(wheel.name.label) if document is not None else None
        if properties is None:
            continue
        ordered = {
            name: {feature: sorted(set(values)) for feature, values in features.items()}
            for name, features in properties.items()
        }
        key = json.dumps(ordered, sort_keys=True)
        if (wheel.name.label, key) not in seen:
            seen.add((wheel.name.label, key))
            yield wheel.name.label, wheel.path, key


@rule(
    "VK104 variant-metadata-agrees",
    what="All wheels of a release have the same format, providers and order of namespaces.",
    why="Installers combine the metadata of a release, and may do anything where it contradicts.",
    mend="Assemble all wheels of the release again, from one classifiers.toml.",
)
def _check_agrees(files: Files) -> Iterator[Problem]:
    for release in files.releases.values():
        first = None
        for wheel in release.labelled:
            document = wheel.variants.document if wheel.variants is not None else None
            if document is None:
                continue
            # What labels stand for is another rule's.
            head = {**document, "variants": {}}
            if first is None:
                first = wheel, head
            elif head != first[1]:
                try:
                    variants.combine([first[1], head])
                    what = f"its variant.json and that of {first[0].path.name} differ in more than the label"
                except VariantError as error:
                    what = str(error).partition(". ")[0]
                yield Problem(wheel.path, what)


@rule(
    "VK105 variants-file",
    what="A -variants.json says what the wheels say; an index has one for each release with labels.",
    why="uv reads this file and not the wheels: a label that is not in it is never chosen, and without the file none is.",
    mend="Write it again: `variantkit assemble` does in a folder, `variantkit index` in an index.",
)
def _check_variants_file(files: Files) -> Iterator[Problem]:
    for release in files.releases.values():
        if release.table is None:
            if files.index is not None and release.labelled:
                yield Problem(
                    release.labelled[0].path,
                    f"{release.project} {release.version} has wheels with labels and no -variants.json on its page",
                )
            continue
        table, path = release.table.variants.document, release.table.path
        if table is None:
            continue
        listed, there = set(table["variants"]), set(release.labels)
        for label in sorted(listed - there):
            yield Problem(path, f"it has the label {label}, and no wheel has")
        for label in sorted(there - listed):
            yield Problem(path, f"it does not have the label {label} of {release.labels[label][0].path.name}")
        if release.combined is None:
            continue
        for label in sorted(listed & set(release.combined["variants"])):
            if table["variants"][label] != release.combined["variants"][label]:
                yield Problem(path, f"it says something else of the label {label} than the wheels do")
        for key in ("$schema", "default-priorities", "providers"):
            if table.get(key) != release.combined.get(key):
                yield Problem(path, f"its {key} is not that of the wheels")


@rule(
    "VK106 preference",
    what="Installers rank the labels as classifiers.toml ranks the classifiers.",
    why="The wheel that an installer takes should be the one that the loader would load.",
    mend="Assemble all wheels again; where that changes nothing, give the rows other ranks or properties.",
    needs="matrix",
)
def _check_preference(files: Files) -> Iterator[Problem]:
    family = files.family
    combined = family.release.combined if family is not None else None
    if family is None or combined is None or problems(combined):
        return
    wanted = [label for label in (*variants.labels(family.matrix), NULL) if label in combined["variants"]]
    found = [label for label in variants.preference(combined) if label in wanted]
    if wanted != found:
        yield Problem(
            family.release.labelled[0].path,
            f"installers prefer {', '.join(found)}, in this order, and classifiers.toml has {', '.join(wanted)}",
        )


@rule(
    "VK107 label-of-a-row",
    what="A label is that of a row of classifiers.toml and stands for the properties of that row.",
    why="A label that says another level than the compiler was asked for is chosen for the wrong machines.",
    mend="Assemble all wheels again from today's classifiers.toml.",
    needs="matrix",
)
def _check_label_of_a_row(files: Files) -> Iterator[Problem]:
    family = files.family
    if family is None or not family.release.labelled:
        return
    wanted = variants.describe(family.matrix)["variants"]
    for label, wheels in family.release.labels.items():
        for wheel in wheels:
            if label not in wanted:
                yield Problem(wheel.path, f"no row of classifiers.toml has the label {label} and properties")
                continue
            document = wheel.variants.document if wheel.variants is not None else None
            if document is not None and document["variants"].get(label, wanted[label]) != wanted[label]:
                yield Problem(wheel.path, f"the label {label} stands for other properties than in classifiers.toml")
