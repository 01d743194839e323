"""The metadata of wheel variants (PEP 825, PEP 850): made from the matrix, combined, and ranked as installers rank it.

Both are drafts. What may change with them stands in the tables below, so that the final format is a change of a line.
https://peps.python.org/pep-0825/, https://peps.python.org/pep-0850/
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from variantkit.errors import MatrixError, VariantError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from variantkit.matrix import Matrix, Row

__all__ = [
    "CURRENT",
    "FORMATS",
    "NAMESPACE",
    "NULL",
    "PROVIDERS",
    "VALUE",
    "Document",
    "Format",
    "combine",
    "describe",
    "dumps",
    "for_label",
    "index_filename",
    "labels",
    "preference",
    "static_provider",
    "values_of",
]

Document = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """A version of the format that can be written."""

    schema: str
    providers: bool


FORMATS = {
    "0.1.1": Format(schema="https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json", providers=False),
    "0.2.0": Format(schema="https://variants-schema.wheelnext.dev/peps/850/v0.2.0.json", providers=True),
}

CURRENT = "0.2.0"
"""The format that is written: the newest that an installer reads (uv 0.13.5 and later)."""

PROVIDERS: dict[str, Document] = {
    # uv has these built in, and passes over a variant without a word where one letter differs.
    "aarch64": {"requires": ["aarch64-variant-provider>=0.2,<1"]},
    "nvidia": {
        "requires": ["nvidia-variant-provider>=0.0.1,<1.0.0"],
        "plugin-api": "nvidia_variant_provider.plugin:NvidiaVariantPlugin",
    },
    "tpu": {
        "requires": ["tpu-variant-provider>=0.1,<1"],
        "plugin-api": "tpu_variant_provider.plugin:TpuVariantPlugin",
    },
    "x86_64": {"requires": ["x86-64-variant-provider>=0.2,<1"]},
}
"""Who tells what a machine has, by namespace; any other namespace is a choice of software and carries its values itself."""

NULL = "null"
"""The label of a variant without properties, which fits every machine."""

NAMESPACE = re.compile(r"[a-z0-9_]+")
"""What a namespace and a feature may be; match the whole of it."""

VALUE = re.compile(r"[a-z0-9_.]+")
"""What a value of a feature may be."""

_PRIORITY = "priority"


def labels(matrix: Matrix) -> dict[str, Row]:
    """Return the classifiers that can be variants, by label: those with properties, best first."""
    rows = sorted(matrix.rows, key=lambda row: (row.device == "cpu", -row.rank))
    return {row.label: row for row in rows if row.variant and row.name != matrix.project.base}


def describe(matrix: Matrix, version: str = CURRENT) -> Document:
    """Return the metadata of all variants of a release, as it stands on an index.

    The namespaces come in an order in which installers rank the variants as the matrix does; where there is none, a
    namespace of our own says the rank, as also where two rows have the same properties. Raises `MatrixError` where
    properties contradict the row, or are none.
    """
    wanted = labels(matrix)
    properties = {label: values_of(row.variant) for label, row in wanted.items()}
    used = {namespace for each in properties.values() for namespace in each}
    for row in wanted.values():
        if mistake := _mistake(row):
            msg = f'row "{row.name}", key "variant": {mistake}'
            raise MatrixError(msg)
    order = _namespace_order(properties, sorted(used, key=lambda name: (name not in PROVIDERS, name != "nvidia", name)))
    if order is None or len({dumps(each) for each in properties.values()}) < len(properties):
        if _PRIORITY in used:
            msg = f"The namespace {_PRIORITY} is needed to rank the variants as the rows are ranked. Call yours otherwise."
            raise MatrixError(msg)
        properties = {
            label: {**each, _PRIORITY: {"rank": [str(place)]}}
            for place, (label, each) in enumerate(properties.items(), 1)
        }
        order = [_PRIORITY, *sorted(used)]
    document: Document = {"$schema": FORMATS[version].schema, "default-priorities": {"namespace": order}}
    if FORMATS[version].providers:
        known = _best_first(properties.values())
        document["providers"] = {name: PROVIDERS.get(name) or static_provider(known[name]) for name in order}
    document["variants"] = {**dict(sorted(properties.items())), NULL: {}}
    return document


def _mistake(row: Row) -> str:
    """Return what is wrong with the properties of a row, with what to do, "" where nothing is."""
    if row.label == NULL:
        return f"the label {NULL} is for a variant without properties. Call the row otherwise."
    words = [word for namespace, features in row.variant.items() for word in (namespace, *features)]
    values = [values for features in row.variant.values() for values in features.values()]
    if not (all(map(NAMESPACE.fullmatch, words)) and all(VALUE.fullmatch(each) for every in values for each in every)):
        return "it may have the letters a-z, 0-9 and _, and in values also a dot. Spell it so."
    if not all(row.variant.values()) or not all(values):
        return "a namespace without features, or a feature without values, says nothing. Give it some, or remove it."
    level = row.variant.get("x86_64", {}).get("level")
    compiled = row.level.removeprefix("x86-64-") if row.level != "x86-64" else "v1"
    if level and level != (compiled,):
        return (
            f"it says x86_64 level {', '.join(level)}, and the compiler is asked for {row.level}, so that installers "
            f"would choose it for the wrong machines. Make them equal."
        )
    return ""


def for_label(document: Document, label: str) -> Document:
    """Return the metadata of one wheel: the document with that variant only."""
    return {**document, "variants": {label: document["variants"][label]}}


def dumps(document: Document) -> str:
    """Return the document as it is written into wheels and indexes."""
    return json.dumps(document, indent=2) + "\n"


def index_filename(distribution: str, version: str) -> str:
    """Return the name of the file with the metadata of a release; both parts as in the name of a wheel."""
    return f"{distribution}-{version}-variants.json"


def combine(documents: Iterable[Document]) -> Document:
    """Return the metadata of several wheels of one release as one; raise `VariantError` where they contradict.

    The order of the documents makes no difference.
    """
    merged: Document | None = None
    for document in documents:
        if merged is None:
            merged = {**document, "variants": {}}
        if document["$schema"] != merged["$schema"]:
            msg = (
                f"Two wheels of one release have metadata of different formats, {merged['$schema']} and "
                f"{document['$schema']}. Assemble all of them again, or bring them up to date with --migrate."
            )
            raise VariantError(msg)
        namespaces = _longer(merged["default-priorities"]["namespace"], document["default-priorities"]["namespace"])
        providers = {**merged.get("providers", {}), **document.get("providers", {})}
        for name in merged.get("providers", {}).keys() & document.get("providers", {}).keys():
            if merged["providers"][name] != document["providers"][name]:
                msg = f"Two wheels of one release describe the provider of {name} differently. Assemble all of them again."
                raise VariantError(msg)
        own = {label: values_of(properties) for label, properties in document["variants"].items()}
        for label, properties in own.items():
            if merged["variants"].setdefault(label, properties) != properties:
                msg = f"The label {label} stands for different properties in one release. Assemble all wheels again."
                raise VariantError(msg)
        merged["default-priorities"] = {"namespace": namespaces}
        if providers:
            merged["providers"] = {name: providers[name] for name in namespaces if name in providers}
    if merged is None:
        msg = "There are no variants to combine. Name wheels with a label."
        raise VariantError(msg)
    # `null` last, as it ranks; the others as they sort.
    merged["variants"] = dict(sorted(merged["variants"].items(), key=lambda item: (item[0] == NULL, item[0])))
    return merged


def preference(document: Document) -> list[str]:
    """Return the labels as an installer ranks them on a machine that has everything, best first (PEP 825, "Ordering")."""
    namespaces = document["default-priorities"]["namespace"]
    best = _best_first(document["variants"].values())
    for name, provider in document.get("providers", {}).items():
        if static := provider.get("static-properties"):
            best[name] = {feature: static[feature] for feature in provider.get("feature-order", static)}

    def compare(one: str, two: str) -> int:
        keys = [
            sorted(
                (namespaces.index(name), list(best[name]).index(feature), min(map(best[name][feature].index, values)))
                for name, features in document["variants"][label].items()
                for feature, values in features.items()
            )
            for label in (one, two)
        ]
        for left, right in zip(*keys, strict=False):
            if left != right:
                return -1 if left < right else 1
        # The one that asks for more wins, and then the alphabet decides.
        if len(keys[0]) != len(keys[1]):
            return len(keys[1]) - len(keys[0])
        return -1 if one < two else 1

    return sorted(document["variants"], key=functools.cmp_to_key(compare))


def static_provider(features: dict[str, list[str]]) -> Document:
    """Return the provider of a namespace that carries its values itself, best first."""
    order = {"feature-order": list(features)} if len(features) > 1 else {}
    return {"static-properties": features, **order}


def _best_first(properties: Iterable[Document]) -> dict[str, dict[str, list[str]]]:
    """Return all values by namespace and feature: as installers have them built in, others as the rows have them."""
    found: dict[str, dict[str, list[str]]] = {}
    for each in properties:
        for namespace, features in each.items():
            for feature, values in features.items():
                known = found.setdefault(namespace, {}).setdefault(feature, [])
                known += [value for value in values if value not in known]
    for namespace, features in found.items():
        if namespace in PROVIDERS:
            # Features by their names; levels and versions from the highest, and of one version what is most special.
            found[namespace] = dict(sorted(features.items()))
            for values in features.values():
                values.sort()
                values.sort(key=lambda value: [int(number) for number in re.findall(r"\d+", value)], reverse=True)
    return found


def _namespace_order(properties: dict[str, Document], namespaces: Sequence[str]) -> list[str] | None:
    """Return an order of namespaces under which installers rank as the labels are given, or None."""
    for order in itertools.permutations(namespaces):
        document = {"default-priorities": {"namespace": list(order)}, "variants": properties}
        if preference(document) == list(properties):
            return list(order)
    return None


def values_of(properties: Document) -> Document:
    """Return the properties of a variant as they are written: everything sorted, and nothing twice."""
    return {
        namespace: {feature: sorted(set(values)) for feature, values in sorted(features.items())}
        for namespace, features in sorted(properties.items())
    }


def _longer(one: list[str], two: list[str]) -> list[str]:
    short, long = sorted((one, two), key=len)
    if long[: len(short)] != short:
        msg = (
            f"Two wheels of one release order the namespaces differently, {one} and {two}. Assemble all of them again."
        )
        raise VariantError(msg)
    return long
