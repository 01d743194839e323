"""The metadata of wheel variants (PEP 825, PEP 850): made from the matrix, combined, checked and brought up to date.

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
from variantkit.wheel import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from variantkit.matrix import Matrix, Row

__all__ = [
    "CURRENT",
    "FORMATS",
    "NULL",
    "PROVIDERS",
    "Format",
    "combine",
    "describe",
    "dumps",
    "for_label",
    "index_filename",
    "labels",
    "migrate",
    "preference",
    "problems",
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

_PRIORITY = "priority"
_NAMESPACE = re.compile(r"[a-z0-9_]+")
_VALUE = re.compile(r"[a-z0-9_.]+")
_TOP = {"$schema", "default-priorities", "providers", "variants"}
_PROVIDER = {"requires", "plugin-api", "static-properties", "feature-order", "builtin", "optional"}


def labels(matrix: Matrix) -> dict[str, Row]:
    """Return the classifiers that can be variants, by label: those with properties, best first."""
    rows = sorted(matrix.rows, key=lambda row: (row.device == "cpu", -row.rank))
    return {row.label: row for row in rows if row.variant and row.name != matrix.project.base}


def describe(matrix: Matrix, version: str = CURRENT) -> Document:
    """Return the metadata of all variants of a release, as it stands on an index.

    The namespaces come in an order in which installers rank the variants as the matrix does; where there is none, a
    namespace of our own says the rank. Raises `MatrixError` where properties contradict the row.
    """
    wanted = labels(matrix)
    properties = {label: _sorted(row.variant) for label, row in wanted.items()}
    for row in wanted.values():
        level = row.variant.get("x86_64", {}).get("level")
        if level and level != (row.level.removeprefix("x86-64-"),):
            msg = (
                f'row "{row.name}", key "variant": it says x86_64 level {", ".join(level)}, and the compiler is asked for '
                f"{row.level}, so that installers would choose it for the wrong machines. Make them equal."
            )
            raise MatrixError(msg)
    used = {namespace for each in properties.values() for namespace in each}
    order = _namespace_order(properties, sorted(used, key=lambda name: (name not in PROVIDERS, name != "nvidia", name)))
    if order is None:
        properties = {
            label: {**each, _PRIORITY: {"rank": [str(place)]}}
            for place, (label, each) in enumerate(properties.items(), 1)
        }
        order = [_PRIORITY, *sorted(used)]
    document: Document = {"$schema": FORMATS[version].schema, "default-priorities": {"namespace": order}}
    if FORMATS[version].providers:
        document["providers"] = {name: _provider(name, properties.values()) for name in order}
    document["variants"] = {**dict(sorted(properties.items())), NULL: {}}
    return document


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
    """Return the metadata of several wheels of one release as one; raise `VariantError` where they contradict."""
    merged: Document | None = None
    for document in documents:
        if merged is None:
            merged = {**document, "variants": dict(document["variants"])}
            continue
        namespaces = _longer(merged["default-priorities"]["namespace"], document["default-priorities"]["namespace"])
        providers = {**merged.get("providers", {}), **document.get("providers", {})}
        for name in merged.get("providers", {}).keys() & document.get("providers", {}).keys():
            if merged["providers"][name] != document["providers"][name]:
                msg = f"Two wheels of one release describe the provider of {name} differently. Assemble all of them again."
                raise VariantError(msg)
        for label, properties in document["variants"].items():
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


def problems(document: object, label: str | None = None) -> list[str]:
    """Return what an installer would stumble over; `label` is that of the wheel the document is from.

    uv takes a whole release for unavailable where it finds a key that it does not know.
    """
    if not isinstance(document, dict):
        return ["it is not a JSON object"]
    found = [f"it has the unknown key {key!r}" for key in sorted(document.keys() - _TOP)]
    found += [f"it has no {key!r}" for key in sorted({"$schema", "default-priorities", "variants"} - document.keys())]
    known = {each.schema: each for each in FORMATS.values()}
    if document.get("$schema") not in known:
        found.append(
            f"its format {document.get('$schema')} is not known; `variantkit assemble --migrate` brings it up to date"
        )
    elif known[document["$schema"]].providers != ("providers" in document):
        found.append("its format and the presence of 'providers' contradict")
    if found:
        return found
    try:
        return list(_problems(document, label))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"it is not shaped as its format says: {error}"]


def _problems(document: Document, label: str | None) -> Iterator[str]:
    priorities, variants = document["default-priorities"], document["variants"]
    namespaces = priorities["namespace"]
    if priorities.keys() != {"namespace"}:
        yield f"default-priorities has {', '.join(sorted(priorities))}, where only namespace may be"
    if len(set(namespaces)) != len(namespaces) or not namespaces:
        yield "default-priorities.namespace is empty, or names one twice"
    if "providers" in document and set(document["providers"]) != set(namespaces):
        yield "providers and default-priorities.namespace do not have the same namespaces"
    for name, provider in document.get("providers", {}).items():
        yield from _provider_problems(name, provider, variants)
    if label is not None and list(variants) != [label]:
        yield f"it describes {', '.join(variants) or 'nothing'}, and the wheel's label is {label}"
    seen: dict[str, str] = {}
    for name, properties in variants.items():
        if not LABEL.fullmatch(name):
            yield f"the label {name!r} may have a-z, 0-9, _ and . only"
        if (name == NULL) != (properties == {}):
            yield f"{name} has {'properties' if properties else 'none'}: that label, and no other, is for a variant without"
        key = json.dumps(properties, sort_keys=True)
        if seen.setdefault(key, name) != name:
            yield f"the labels {seen[key]} and {name} stand for the same properties"
        for namespace, features in properties.items():
            if namespace not in namespaces:
                yield f"{name} uses the namespace {namespace}, which default-priorities does not name"
            for feature, values in features.items():
                place = f"{name}: {namespace} :: {feature}"
                if not values or sorted(set(values)) != values:
                    yield f"{place} has the values {values}, which must be sorted, different and at least one"
                if not (_NAMESPACE.fullmatch(namespace) and _NAMESPACE.fullmatch(feature)):
                    yield f"{place} has a letter other than a-z, 0-9 and _"
                if not all(_VALUE.fullmatch(value) for value in values):
                    yield f"{place} has a value with a letter other than a-z, 0-9, _ and ."


def _provider_problems(name: str, provider: Document, variants: Document) -> Iterator[str]:
    kinds = provider.keys() & {"requires", "static-properties", "builtin"}
    if len(kinds) != 1:
        yield f"the provider of {name} has {len(kinds)} of requires, static-properties and builtin, and one is needed"
    if unknown := provider.keys() - _PROVIDER:
        yield f"the provider of {name} has the unknown key {min(unknown)!r}"
    if name in PROVIDERS and provider != PROVIDERS[name]:
        yield f"the provider of {name} is not the one that uv has built in, so that uv passes over it: {PROVIDERS[name]}"
    static = provider.get("static-properties")
    if static is not None:
        if len(static) > 1 and sorted(provider.get("feature-order", [])) != sorted(static):
            yield f"the provider of {name} has several features and needs a feature-order that has each of them"
        for label, properties in variants.items():
            for feature, values in properties.get(name, {}).items():
                if lost := set(values) - set(static.get(feature, [])):
                    yield f"{label} asks for {name} :: {feature} :: {min(lost)}, which its static properties do not have"


def migrate(document: object) -> Document:
    """Return the document in the format that is written today; raise `VariantError` for a key that nobody knew.

    What older drafts had is dropped, as the drafts did themselves: priorities of features and properties, `enable-if`
    and `install-time`; `static-properties` moved from the top into the providers.
    """
    if not isinstance(document, dict) or not isinstance(document.get("variants"), dict):
        msg = "This is not metadata of wheel variants. Name a variant.json, a -variants.json, or a wheel that has one."
        raise VariantError(msg)
    dropped = {"static-properties"}
    if unknown := document.keys() - _TOP - dropped:
        msg = f"The key {min(unknown)!r} was never part of the format. Remove it, or assemble the wheel again."
        raise VariantError(msg)
    variants = {label: _sorted(properties) for label, properties in document["variants"].items()}
    used = [name for properties in variants.values() for name in properties]
    namespaces = list(dict.fromkeys([*document.get("default-priorities", {}).get("namespace", []), *used]))
    providers: Document = {}
    for name in namespaces:
        before = document.get("providers", {}).get(name, {})
        static = before.get("static-properties") or document.get("static-properties", {}).get(name)
        if name in PROVIDERS:
            providers[name] = PROVIDERS[name]
        elif static:
            providers[name] = _static({feature: list(values) for feature, values in static.items()})
        elif before.get("requires"):
            providers[name] = {key: before[key] for key in ("requires", "plugin-api", "optional") if key in before}
        elif before.get("builtin"):
            providers[name] = before
        else:
            providers[name] = _provider(name, variants.values())
    return {
        "$schema": FORMATS[CURRENT].schema,
        "default-priorities": {"namespace": namespaces},
        "providers": providers,
        "variants": variants,
    }


def _provider(namespace: str, properties: Iterable[Document]) -> Document:
    return PROVIDERS.get(namespace) or _static(_best_first(properties)[namespace])


def _static(features: dict[str, list[str]]) -> Document:
    order = {"feature-order": list(features)} if len(features) > 1 else {}
    return {"static-properties": features, **order}


def _best_first(properties: Iterable[Document]) -> dict[str, dict[str, list[str]]]:
    """Return all values by namespace and feature: versions and levels from the highest, others as the rows have them."""
    found: dict[str, dict[str, list[str]]] = {}
    for each in properties:
        for namespace, features in each.items():
            for feature, values in features.items():
                known = found.setdefault(namespace, {}).setdefault(feature, [])
                known += [value for value in values if value not in known]
    for namespace, features in found.items():
        if namespace in PROVIDERS:
            for values in features.values():
                values.sort(key=lambda value: [int(number) for number in re.findall(r"\d+", value)], reverse=True)
    return found


def _namespace_order(properties: dict[str, Document], namespaces: Sequence[str]) -> list[str] | None:
    """Return an order of namespaces under which installers rank as the labels are given, or None."""
    for order in itertools.permutations(namespaces):
        document = {"default-priorities": {"namespace": list(order)}, "variants": properties}
        if preference(document) == list(properties):
            return list(order)
    return None


def _sorted(properties: Document) -> Document:
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
