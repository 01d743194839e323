"""Check a classifiers.toml against its JSON schema, and say what is wrong in the words of whoever wrote it."""

from __future__ import annotations

import difflib
import functools
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["schema_mistakes", "unfit_values"]


@functools.cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads((resources.files(__package__) / "classifiers.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def schema_mistakes(document: dict[str, Any]) -> list[str]:
    """Return one sentence per mistake; each names the row, the key and what is allowed there."""
    from jsonschema.exceptions import relevance

    errors = sorted(
        _validator().iter_errors(document), key=lambda error: (list(map(str, error.absolute_path)), relevance(error))
    )
    return [line for error in errors for line in _explain(document, error)]


def unfit_values(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Find what JSON schema lets pass and generated files cannot hold: there, 20.0 is an integer, and $ ends before a newline."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from unfit_values(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from unfit_values(item, f"{place} {number}" if isinstance(item, dict) else place)
    elif isinstance(value, str) and not value.isprintable():
        yield place, f"{value!r} has a character that cannot be printed. Write it on one line."
    elif isinstance(value, float):
        yield place, f"{value} has a point. Write a whole number."


def _explain(document: dict[str, Any], error: Any) -> list[str]:
    """Turn a jsonschema error into sentences that name the row, the key and what is allowed."""
    path = list(error.absolute_path)
    known = error.schema.get("properties", {})
    if error.validator == "additionalProperties":
        allowed = ", ".join(sorted(known))
        unknown = sorted(set(error.instance) - set(known))
        return [f"{_place(document, [*path, key])}: unknown key; allowed are: {allowed}." for key in unknown]
    if error.validator == "propertyNames":
        return [
            f"{_place(document, path)}: {error.instance!r} is not known there; allowed are: {', '.join(error.validator_value['enum'])}."
        ]
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))
        # One error is reported per missing key; each names its own.
        return [f"{_place(document, [*path, key])}: missing. Add it." for key in missing if f"'{key}'" in error.message]
    where = _place(document, path)
    value = json.dumps(error.instance)
    match error.validator:
        case "enum":
            near = difflib.get_close_matches(str(error.instance), error.validator_value, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            return [f"{where}: {value} is not known{hint}; allowed are: {', '.join(map(str, error.validator_value))}."]
        case "const":
            return [f"{where}: {value} is not known; this version reads {error.validator_value}."]
        case "type":
            return [f"{where}: {value} should be of type {error.validator_value}."]
        case "pattern":
            return [f"{where}: {value} does not match {error.validator_value}."]
    return [f"{where}: {error.message}."]


def _place(document: dict[str, Any], path: list[Any]) -> str:
    """Name a place in the file as its author knows it: by row and key."""
    if len(path) > 1 and path[0] == "classifier" and isinstance(path[1], int):
        row = document["classifier"][path[1]]
        name = row.get("name") if isinstance(row, dict) else None
        row_text = f'row "{name}"' if isinstance(name, str) else f"row number {path[1] + 1}"
        keys = [str(part) for part in path[2:] if not isinstance(part, int)]
        return f'{row_text}, key "{".".join(keys)}"' if keys else row_text
    if not path:
        return "the file"
    keys = [str(part) for part in path if not isinstance(part, int)]
    return f'[{keys[0]}], key "{".".join(keys[1:])}"' if len(keys) > 1 else f'key "{keys[0]}"'
