"""Frozen dataclasses from the tables of a TOML file that a schema has accepted."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

__all__ = ["construct"]


def construct(kind: Any, table: Any) -> Any:
    """Build the dataclass `kind` from a table: lists become tuples, and tables the dataclasses that its fields name."""
    hints = typing.get_type_hints(kind)
    values = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        (item,) = typing.get_args(hints[name])[:1] or (None,)
        if dataclasses.is_dataclass(item):
            values[name] = tuple(construct(item, each) for each in value)
        elif dataclasses.is_dataclass(hints[name]):
            values[name] = construct(hints[name], value)
        else:
            values[name] = _frozen(value)
    return kind(**values)


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value
