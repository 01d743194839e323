"""What an audit has found, and how it is told to people and to programs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.check.registry import Level

__all__ = ["AuditFinding", "AuditResult", "Need"]


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class AuditFinding:
    """One thing that is not as the label promises; the message ends with what to do.

    `file` is the wheel, or the native file where that is audited alone, and `member` the native file in it. The rest is
    filled in where it is about one instruction; `constructor` is true where that runs as soon as the library is loaded.
    """

    file: Path
    member: str
    rule: str
    address: int = 0
    message: str
    level: Level
    symbol: str = ""
    instruction: str = ""
    feature: str = ""
    constructor: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Need:
    """What one native file needs at least: a level, and the instruction that it needs it for ("" for the lowest level).

    `beyond` has the features that it needs and no level has.
    """

    file: Path
    member: str
    level: str
    symbol: str = ""
    address: int = 0
    instruction: str = ""
    feature: str = ""
    constructor: bool = False
    beyond: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditResult:
    """The outcome of an audit; it is true when nothing is wrong and all that should be was audited.

    `unaudited` says what could not be audited and why, `notes` what was left out on purpose, and `needs` what each native
    file needs where there was no level to hold it against.
    """

    findings: tuple[AuditFinding, ...]
    rules: tuple[str, ...]
    files: int
    instructions: int
    seconds: float
    unaudited: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()

    def __bool__(self) -> bool:
        return self.status == 0

    @property
    def status(self) -> int:
        """The exit status: 0 is clean, 1 is with violations, 2 is not all audited."""
        if any(finding.level == "error" for finding in self.findings):
            return 1
        return 2 if self.unaudited else 0
