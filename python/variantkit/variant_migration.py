"""Metadata of wheel variants from older drafts, brought into the format that is written today.

What the drafts dropped is dropped: `enable-if`, `install-time`, and priorities of features and properties, but for those of
static properties, whose order is now in the provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from variantkit.errors import VariantError
from variantkit.variant_problems import TOP, problems
from variantkit.variants import CURRENT, FORMATS, PROVIDERS, static_provider, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from variantkit.variants import Document

__all__ = ["migrate"]

# It stood at the top, and is now in the providers.
_STATIC = "static-properties"


def migrate(document: object) -> Document:
    """Return the document in the format that is written today; one that is in it already comes back as it is.

    A namespace that nothing describes and no variant uses is left out. Raises `VariantError` for what is no such metadata,
    for a key that nobody knew, and where an installer would not take what comes out.
    """
    if not isinstance(document, dict) or not isinstance(document.get("variants"), dict):
        msg = "This is not metadata of wheel variants. Name a variant.json, a -variants.json, or a wheel that has one."
        raise VariantError(msg)
    if unknown := document.keys() - TOP - {_STATIC}:
        msg = f"The key {min(unknown)!r} was never part of the format. Remove it, or assemble the wheel again."
        raise VariantError(msg)
    try:
        migrated = _migrate(document)
        found = problems(migrated)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        msg = f"This is not shaped as any draft of the format: {error!r}. Assemble the wheel again."
        raise VariantError(msg) from error
    if found:
        msg = f"This cannot be brought up to date: {found[0]}. Assemble the wheel again."
        raise VariantError(msg)
    return migrated


def _migrate(document: Document) -> Document:
    variants = {label: values_of(properties) for label, properties in document["variants"].items()}
    priorities = document.get("default-priorities", {})
    used: dict[str, dict[str, list[str]]] = {}
    for properties in variants.values():
        for namespace, features in properties.items():
            for feature, values in features.items():
                known = used.setdefault(namespace, {}).setdefault(feature, [])
                known += [value for value in values if value not in known]
    providers: Document = {}
    for name in dict.fromkeys([*priorities.get("namespace", []), *used]):
        before = document.get("providers", {}).get(name, {})
        static = before.get(_STATIC) or document.get(_STATIC, {}).get(name)
        kept: Document = {"optional": before["optional"]} if "optional" in before else {}
        if name in PROVIDERS:
            providers[name] = PROVIDERS[name]
        elif static:
            ordered = _ordered(static, before.get("feature-order") or _of(priorities, "feature", name))
            wanted = _of(priorities, "property", name)
            features = {feature: list(_first(_of(wanted, feature), values)) for feature, values in ordered.items()}
            providers[name] = {**static_provider(features), **kept}
        elif before.get("requires"):
            providers[name] = {key: before[key] for key in ("requires", "plugin-api") if key in before} | kept
        elif before.get("builtin"):
            providers[name] = {"builtin": before["builtin"], **kept}
        elif name in used:
            providers[name] = static_provider(used[name])
    return {
        "$schema": FORMATS[CURRENT].schema,
        "default-priorities": {"namespace": list(providers)},
        "providers": providers,
        "variants": variants,
    }


def _of(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key, {})
    return table


def _ordered(features: Document, order: Iterable[str]) -> Document:
    return {feature: features[feature] for feature in _first(order, features)}


def _first(wanted: Iterable[str], all_of_them: Iterable[str]) -> list[str]:
    """Return all of them, and first those that are wanted first."""
    rest = list(all_of_them)
    return list(dict.fromkeys([*(each for each in wanted if each in rest), *rest]))
