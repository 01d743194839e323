"""What is wrong with metadata of wheel variants (PEP 825, PEP 850), however it is shaped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from variantkit.variants import FORMATS, NAMESPACE, NULL, PROVIDERS, VALUE
from variantkit.wheel import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.variants import Document

__all__ = ["TOP", "problems"]

TOP = frozenset({"$schema", "default-priorities", "providers", "variants"})
"""The keys of the document."""

_KINDS = frozenset({"requires", "static-properties", "builtin"})
_PROVIDER = _KINDS | {"plugin-api", "feature-order", "optional"}
# What an installer does itself; there is one such thing.
_BUILTIN = "abi_dependency"


def problems(document: object, label: str | None = None) -> list[str]:
    """Return what an installer would stumble over; `label` is that of the wheel the document is from.

    uv takes a whole release for unavailable where it finds a key that it does not know, or a value of another kind.
    """
    if not isinstance(document, dict):
        return ["it is not a JSON object"]
    found = [f"it has the unknown key {key!r}" for key in sorted(document.keys() - TOP)]
    found += [f"it has no {key!r}" for key in sorted({"$schema", "default-priorities", "variants"} - document.keys())]
    known = {each.schema: each for each in FORMATS.values()}
    schema = document.get("$schema")
    if not isinstance(schema, str) or schema not in known:
        found.append(f"its format {schema} is not known; `variantkit assemble --migrate` brings it up to date")
    elif known[schema].providers != ("providers" in document):
        found.append("its format and the presence of 'providers' contradict")
    # Each step relies on the one before.
    return found or list(_shape(document)) or list(_problems(document, label))


def _shape(document: Document) -> Iterator[str]:
    """Find what is of another kind than the format says: no list of strings, no object."""
    priorities, variants = document["default-priorities"], document["variants"]
    if not isinstance(priorities, dict) or not _is_strings(priorities.get("namespace")):
        yield "default-priorities has no namespace with a list of strings"
    elif priorities.keys() != {"namespace"}:
        yield f"default-priorities has {', '.join(sorted(priorities))}, where only namespace may be"
    if not isinstance(variants, dict):
        yield "variants is not an object"
    else:
        yield from (
            f"the variant {name} is not shaped as its format says" for name in variants if not _fits(variants[name])
        )
    providers = document.get("providers", {})
    if not isinstance(providers, dict) or not all(isinstance(each, dict) for each in providers.values()):
        yield "providers is not an object of objects"
        return
    for name, provider in providers.items():
        for key in ("requires", "feature-order"):
            if key in provider and not _is_strings(provider[key]):
                yield f"the provider of {name} has {key} that is not a list of strings"
        for key in ("plugin-api", "builtin"):
            if key in provider and not isinstance(provider[key], str):
                yield f"the provider of {name} has {key} that is not a string"
        if not isinstance(provider.get("optional", False), bool):
            yield f"the provider of {name} has optional that is neither true nor false"
        if not _is_features(provider.get("static-properties", {})):
            yield f"the provider of {name} has static-properties that are not lists of strings by feature"


def _fits(properties: object) -> bool:
    return isinstance(properties, dict) and all(map(_is_features, properties.values()))


def _is_features(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_strings, value.values()))


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _problems(document: Document, label: str | None) -> Iterator[str]:
    variants, namespaces = document["variants"], document["default-priorities"]["namespace"]
    if len(set(namespaces)) != len(namespaces) or not namespaces:
        yield "default-priorities.namespace is empty, or names one twice"
    yield from (f"the namespace {name!r} may have a-z, 0-9 and _ only" for name in namespaces if not _is_name(name))
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
            if not features:
                yield f"{name} uses the namespace {namespace}, and no feature of it"
            for feature, values in features.items():
                place = f"{name}: {namespace} :: {feature}"
                if not values or sorted(set(values)) != values:
                    yield f"{place} has the values {values}, which must be sorted, different and at least one"
                if not (_is_name(namespace) and _is_name(feature)):
                    yield f"{place} has a letter other than a-z, 0-9 and _"
                if not all(map(VALUE.fullmatch, values)):
                    yield f"{place} has a value with a letter other than a-z, 0-9, _ and ."


def _provider_problems(name: str, provider: Document, variants: Document) -> Iterator[str]:
    kinds = provider.keys() & _KINDS
    if len(kinds) != 1:
        yield f"the provider of {name} has {len(kinds)} of requires, static-properties and builtin, and one is needed"
    if unknown := provider.keys() - _PROVIDER:
        yield f"the provider of {name} has the unknown key {min(unknown)!r}"
    if name in PROVIDERS and provider != PROVIDERS[name]:
        yield f"the provider of {name} is not the one that uv has built in, so that uv passes over it: {PROVIDERS[name]}"
    if provider.get("builtin", _BUILTIN) != _BUILTIN:
        yield f"the provider of {name} is builtin {provider['builtin']}, and only {_BUILTIN} is"
    if "requires" in provider and not (provider["requires"] and all(map(_is_requirement, provider["requires"]))):
        yield f"the provider of {name} requires {provider['requires']}, which are no requirements"
    if "plugin-api" in provider and "requires" not in provider:
        yield f"the provider of {name} has a plugin-api, and requires nothing that could have it"
    if "static-properties" in provider:
        yield from _static_problems(name, provider["static-properties"], provider.get("feature-order"), variants)
    elif "feature-order" in provider:
        yield f"the provider of {name} has a feature-order, and no static properties to be ordered"


def _static_problems(name: str, static: Document, order: list[str] | None, variants: Document) -> Iterator[str]:
    if not static or not all(static.values()):
        yield f"the provider of {name} has no static properties, or a feature without values"
    for feature, values in static.items():
        if len(set(values)) != len(values) or not all(map(VALUE.fullmatch, values)) or not _is_name(feature):
            yield f"the provider of {name} has {feature} with the values {values}, one of them twice or misspelt"
    if (order is not None or len(static) > 1) and sorted(order or []) != sorted(static):
        yield f"the provider of {name} has several features and needs a feature-order that has each of them"
    for label, properties in variants.items():
        for feature, values in properties.get(name, {}).items():
            if lost := set(values) - set(static.get(feature, [])):
                yield f"{label} asks for {name} :: {feature} :: {min(lost)}, which its static properties do not have"


def _is_name(text: str) -> bool:
    return NAMESPACE.fullmatch(text) is not None


def _is_requirement(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True
