"""JSON from elsewhere: read without trusting it, and variant metadata (PEP 825) in the shape that the rules rely on."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from variantkit.variant_problems import problems

__all__ = ["Variants", "is_strings", "load", "read_variants"]

Document = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variants:
    """Variant metadata: `document` where its shape is right, and what installers would stumble over."""

    document: Document | None
    problems: tuple[str, ...]


def load(data: bytes | str) -> Any:
    """Return what JSON says; raise `ValueError` for all that is wrong with it."""
    try:
        return json.loads(data)
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error


def read_variants(data: bytes, label: str | None) -> Variants:
    """Read a variant.json, of the wheel with that label, or with None a -variants.json."""
    try:
        document = load(data)
    except ValueError as error:
        return Variants(document=None, problems=(f"it is not JSON: {error}",))
    if defect := _shape(document):
        return Variants(document=None, problems=(defect,))
    return Variants(document=document, problems=tuple(problems(document, label)))


def is_strings(value: object) -> bool:
    """Return whether a value is a list of strings."""
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _shape(document: object) -> str:
    """Return where a document is of another shape than any version of the format has, "" where it is not."""
    if not isinstance(document, dict):
        return "it is not a JSON object"
    if not isinstance(document.get("$schema"), str):
        return "its $schema is not a string"
    priorities = document.get("default-priorities")
    if not isinstance(priorities, dict) or not is_strings(priorities.get("namespace")):
        return "its default-priorities have no list of namespaces"
    providers = document.get("providers", {})
    if not isinstance(providers, dict):
        return "its providers are not a JSON object"
    for name, provider in providers.items():
        if not isinstance(provider, dict):
            return f"its provider of {name} is not a JSON object"
        static = provider.get("static-properties", {})
        if not isinstance(static, dict) or not all(is_strings(values) for values in static.values()):
            return f"the static-properties of {name} are not lists of values"
        if not all(is_strings(provider.get(key, [])) for key in ("feature-order", "requires")):
            return f"the provider of {name} has something else than lists of strings"
    labels = document.get("variants")
    if not isinstance(labels, dict):
        return "it has no variants"
    for label, properties in labels.items():
        features = list(properties.values()) if isinstance(properties, dict) else [None]
        if not all(isinstance(each, dict) and all(map(is_strings, each.values())) for each in features):
            return f"the properties of {label} are not {{namespace: {{feature: [values]}}}}"
    return ""
