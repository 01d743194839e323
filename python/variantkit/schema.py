"""The JSON schema of classifiers.toml, generated from the dataclasses of `variantkit.matrix`.

Draft 2020-12, https://json-schema.org/draft/2020-12.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any

from variantkit.matrix import Matrix

__all__ = ["schema", "schema_text"]


def schema() -> dict[str, Any]:
    """Return the schema as a dictionary."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Generated from variantkit/matrix.py by `python -m tools.matrix --write`; do not edit.",
        "title": "classifiers.toml",
        **_table(Matrix),
    }


def schema_text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(schema(), indent=2) + "\n"


def _table(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    properties = {}
    required = []
    for field in dataclasses.fields(kind):
        key = field.name.replace("_", "-")
        # Tuples in the dataclasses, because they are constants; JSON knows lists.
        extra = {
            name: list(value) if isinstance(value, tuple) else value for name, value in field.metadata["schema"].items()
        }
        properties[key] = {"description": field.metadata["doc"], **_value(hints[field.name], extra)}
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(key)
    return {
        "description": (kind.__doc__ or "").strip(),
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


def _value(kind: Any, extra: dict[str, Any]) -> dict[str, Any]:
    if dataclasses.is_dataclass(kind):
        return _table(kind)
    if kind is str:
        return {"type": "string", **extra}
    if kind is bool:
        return {"type": "boolean", **extra}
    if kind is int:
        return {"type": "integer", **extra}
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        items = _value(arguments[0], {})
        if "items_enum" in extra:
            items["enum"] = extra.pop("items_enum")
        return {"type": "array", "items": items, **extra}
    if origin is dict:
        names = {"propertyNames": {"enum": extra.pop("keys_enum")}} if "keys_enum" in extra else {}
        return {"type": "object", **names, "additionalProperties": _value(arguments[1], {}), **extra}
    msg = f"variantkit.schema cannot describe {kind}. Teach it, or use a simpler type in variantkit.matrix."
    raise TypeError(msg)
