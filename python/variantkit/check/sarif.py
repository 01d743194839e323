"""Findings as SARIF 2.1.0, which code hosts show beside a change.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
import urllib.parse
from importlib import metadata
from typing import TYPE_CHECKING, Any

from variantkit.check.registry import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.check.findings import Finding, Result
    from variantkit.check.registry import Rule

__all__ = ["sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(result: Result, root: Path) -> str:
    """Return the result as SARIF; the addresses of files are relative to `root` where they lie below it."""
    driver = {
        "name": "variantkit check",
        **_version(),
        "rules": [_descriptor(RULES[identifier]) for identifier in result.rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {
                "executionSuccessful": not result.unchecked,
                "exitCode": result.status,
                "toolExecutionNotifications": [
                    *({"level": "error", "message": {"text": text}} for text in result.unchecked),
                    *({"level": "note", "message": {"text": text}} for text in result.notes),
                ],
            }
        ],
        "results": [_result(finding, result.rules, root) for finding in result.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _version() -> dict[str, str]:
    # From a checkout it runs without being installed.
    try:
        return {"version": metadata.version("variantkit")}
    except metadata.PackageNotFoundError:
        return {}


def _descriptor(rule: Rule) -> dict[str, Any]:
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


def _result(finding: Finding, rules: tuple[str, ...], root: Path) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": finding.level,
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(finding.file, root)}}}],
    }


def _uri(path: Path, root: Path) -> str:
    absolute = path.absolute()
    try:
        return urllib.parse.quote(absolute.relative_to(root.absolute()).as_posix())
    except ValueError:
        return absolute.as_uri()
