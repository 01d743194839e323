"""What a check has found, and how it is told to people and to programs."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from typing import TYPE_CHECKING

from variantkit.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.check.registry import Level

__all__ = ["Finding", "Result", "shown"]


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """One thing that is wrong; the message ends with what to do."""

    file: Path
    rule: str
    message: str
    level: Level


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of a check; it is true when nothing is wrong and all that should be was checked.

    `unchecked` says what could not be checked, and `notes` what was left out on purpose.
    """

    findings: tuple[Finding, ...]
    rules: tuple[str, ...]
    files: int
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.status == 0

    @property
    def rules_run(self) -> int:
        """How many rules were run."""
        return len(self.rules)

    @property
    def status(self) -> int:
        """The exit status: 0 is clean, 1 is with errors, 2 is not all checked."""
        if any(finding.level == "error" for finding in self.findings):
            return 1
        return 2 if self.unchecked else 0

    def text(self) -> str:
        """Return the findings for people, by file, with a last line that counts them."""
        lines: list[str] = []
        file: Path | None = None
        for finding in self.findings:
            if finding.file != file:
                lines += ["", shown(finding.file)] if lines else [shown(finding.file)]
                file = finding.file
            lines.append(f"  {finding.rule} {finding.level:<7}  {finding.message}")
        if lines:
            lines.append("")
        lines += [f"not checked: {text}" for text in self.unchecked]
        lines += [f"note: {text}" for text in self.notes]
        return "\n".join([*map(printable, lines), self.summary()])

    def summary(self) -> str:
        """Return one line that counts."""
        counts = Counter(finding.level for finding in self.findings)
        found = ", ".join(count(counts[level], level) for level in ("error", "warning") if counts[level])
        return f"{count(self.files, 'file')}, {count(self.rules_run, 'rule')}: {found or 'no findings'}"

    def json(self) -> str:
        """Return all of it for programs."""
        document = {
            "files": self.files,
            "rules": list(self.rules),
            "findings": [
                {"rule": each.rule, "level": each.level, "file": shown(each.file), "message": each.message}
                for each in self.findings
            ],
            "unchecked": list(self.unchecked),
            "notes": list(self.notes),
        }
        return json.dumps(document, indent=2)


def shown(path: Path) -> str:
    """Return a path as people name it: relative where it lies below the current directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def count(number: int, noun: str) -> str:
    """Return a number and what it counts."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
