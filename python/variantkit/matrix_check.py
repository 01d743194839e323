"""Check a classifiers.toml, and say what is wrong in the words of whoever wrote it: what its JSON schema says, and more."""

from __future__ import annotations

import difflib
import functools
import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

from variantkit import environment
from variantkit import features as _features

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.matrix import Matrix

__all__ = ["contradictions", "schema_mistakes", "unfit_values"]

_RUNNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_RESERVED = {
    "all": "is the extra that installs every classifier",
    "base": "means the base wheel where a wheel is named",
}


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


def contradictions(matrix: Matrix) -> list[str]:
    """Return what is wrong with a matrix although each key for itself is right."""
    mistakes = []
    helpers = {helper for row in matrix.classifier for helper in row.helpers}
    for number, rule in enumerate(matrix.helper_rule, 1):
        where = f"helper-rule {number}, key"
        if rule.helper not in helpers:
            known = ", ".join(sorted(helpers)) or "none"
            mistakes.append(f'{where} "helper": no row has "{rule.helper}"; allowed are: {known}.')
        if 0 < rule.max_work < rule.min_work:
            mistakes.append(f'{where} "max-work": {rule.max_work} is less than min-work, {rule.min_work}. Swap them.')
    seen: dict[str, str] = {}
    ranks: dict[tuple[str, int], str] = {}
    for row in matrix.classifier:
        where = f'row "{row.name}", key'
        if row.name in _RESERVED:
            mistakes.append(f'{where} "name": "{row.name}" {_RESERVED[row.name]}. Choose another name.')
        machines = {platform.partition("-")[2] for platform in row.platforms}
        mistakes += [
            f'{where} "platforms": {machine} is no machine of the level {row.level}. Make it a row of its own.'
            for machine in sorted(machines - set(_features.ARCHITECTURES[row.level]))
        ]
        if row.label in seen:
            mistakes.append(
                f'{where} "name": its label "{row.label}" is also that of "{seen[row.label]}"; labels must differ.'
            )
        seen.setdefault(row.label, row.name)
        if (other := ranks.setdefault((row.device, row.rank), row.name)) != row.name:
            mistakes.append(f'{where} "rank": {row.rank} is also that of "{other}"; ranks of one device must differ.')
        given = set(row.features)
        mistakes += [
            f'{where} "features": "{feature}" implies "{implied}", which is missing. Add it.'
            for feature in row.features
            for implied in sorted(set(_features.IMPLIES.get(feature, ())) - given)
        ]
        mistakes += [
            f'{where} "features": the level {row.level} has "{feature}", which is missing. Add it.'
            for feature in sorted(_features.LEVELS[row.level] - given)
        ]
        mistakes += [
            f'{where} "compile-flags" and "link-flags": only one of them has {compiler}; give both.'
            for compiler in sorted(row.compile_flags.keys() ^ row.link_flags.keys())
        ]
        mistakes += [
            f'{where} "dispatch": {table.library} may need no more than the row has; say what, or take the table out.'
            for table in row.dispatch
            if given.issuperset(table.features)
        ]
    if matrix.project.base not in {row.name for row in matrix.classifier}:
        known = ", ".join(row.name for row in matrix.rows)
        mistakes.append(f'[project], key "base": there is no row "{matrix.project.base}"; allowed are: {known}.')
    elif matrix.base.rank != min(row.rank for row in matrix.classifier):
        mistakes.append(
            f'row "{matrix.base.name}", key "rank": the base runs everywhere, so it must have the lowest rank.'
        )
    names = [variable.name for variable in matrix.variable]
    mistakes += [
        f'variable "{name}" is there twice. Take one out.' for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    built_in = {variable.named(matrix.project.environment) for variable in environment.VARIABLES}
    for variable in matrix.variable:
        where = f'variable "{variable.name}", key'
        prefix = f"{matrix.project.environment}_"
        if variable.name in built_in:
            mistakes.append(f'{where} "name": every project has this variable already. Rename it.')
        if not variable.name.startswith(prefix):
            mistakes.append(f'{where} "name": it does not begin with {prefix}, as those of this project do. Rename it.')
        if variable.default and variable.default not in variable.values:
            allowed = ", ".join(variable.values)
            mistakes.append(f'{where} "default": "{variable.default}" is not one of its values; these are: {allowed}.')
        mistakes += [
            f'{where} "values": "{value}" has a capital, and case is forgiven there. Write it small.'
            for value in variable.values
            if value != value.lower()
        ]
    for name, runner in matrix.pipelines.native.items():
        if name not in {row.name for row in matrix.classifier}:
            known = ", ".join(row.name for row in matrix.rows)
            mistakes.append(f'[pipelines], key "native": there is no row "{name}"; allowed are: {known}.')
        if not _RUNNER.fullmatch(runner):
            mistakes.append(
                f'[pipelines], key "native": "{runner}" is no label of a runner; use letters, digits and -_.'
            )
    return list(dict.fromkeys(mistakes))


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
