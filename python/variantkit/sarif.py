"""Findings as SARIF 2.1.0, which code hosts show beside a change.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from variantkit.rulebook import Level, Rule

__all__ = ["Entry", "report"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One finding; `member` is a file in the file, and `symbol` and `address` a function of that one and a place in it."""

    file: Path
    rule: str
    message: str
    level: Level
    member: str = ""
    symbol: str = ""
    address: int = 0


def report(
    tool: str,
    rules: Sequence[Rule[Any, Any]],
    entries: Iterable[Entry],
    *,
    status: int,
    unchecked: Iterable[str],
    notes: Iterable[str],
    root: Path,
) -> str:
    """Return the outcome of a run of `tool` as SARIF; the addresses of files are relative to `root` where they lie below it."""
    unchecked = list(unchecked)
    order = {rule.id: index for index, rule in enumerate(rules)}
    run = {
        "tool": {"driver": {"name": tool, **_version(), "rules": [_descriptor(rule) for rule in rules]}},
        "invocations": [
            {
                "executionSuccessful": not unchecked,
                "exitCode": status,
                "toolExecutionNotifications": [
                    *({"level": "error", "message": {"text": text}} for text in unchecked),
                    *({"level": "note", "message": {"text": text}} for text in notes),
                ],
            }
        ],
        "results": [_result(entry, order[entry.rule], root) for entry in entries],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _version() -> dict[str, str]:
    # From a checkout it runs without being installed.
    try:
        return {"version": metadata.version("variantkit")}
    except metadata.PackageNotFoundError:
        return {}


def _descriptor(rule: Rule[Any, Any]) -> dict[str, Any]:
    # helpUri has to be absolute, and the documentation lies where the project does; so the help is said here.
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": rule.why},
        "help": {
            "text": f"{rule.what} {rule.why} {rule.mend}",
            "markdown": f"{rule.what}\n\n**Why:** {rule.why}\n\n**How to mend it:** {rule.mend}",
        },
        "defaultConfiguration": {"level": rule.level},
    }


def _result(entry: Entry, index: int, root: Path) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(entry.file, root)}}
    location: dict[str, Any] = {"physicalLocation": physical}
    if entry.address:
        physical["address"] = {"absoluteAddress": entry.address}
    if entry.symbol:
        # A finding of code hosts is told from others by this, as a wheel has no lines.
        place = {"name": entry.symbol, "fullyQualifiedName": f"{entry.member}!{entry.symbol}", "kind": "function"}
        location["logicalLocations"] = [place]
    elif entry.member:
        location["logicalLocations"] = [{"fullyQualifiedName": entry.member, "kind": "module"}]
    return {
        "ruleId": entry.rule,
        "ruleIndex": index,
        "level": entry.level,
        "message": {"text": entry.message},
        "locations": [location],
    }


def _uri(path: Path, root: Path) -> str:
    absolute = path.absolute()
    try:
        return urllib.parse.quote(absolute.relative_to(root.absolute()).as_posix())
    except ValueError:
        return absolute.as_uri()
