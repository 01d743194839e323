"""What an audit has found, and how it is told to people and to programs."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import TYPE_CHECKING

from variantkit.audit.told import told_findings, told_needs
from variantkit.check.findings import count, shown
from variantkit.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.rulebook import Level

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
    features: tuple[str, ...] = ()
    """All those of the function, and not only that of the first instruction."""
    mend: str = ""
    """What to do: how the message ends."""
    constructor: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Need:
    """What one native file needs at least: a level, and the instruction that it needs it for ("" for the lowest level).

    A file that asks CPUID (`asks_cpu`) can have code that it does not call everywhere: `level` is then that of what runs
    while it is loaded, `whole` that of all its code, and `beyond` has those of its features that no level has.
    `unfollowed` are the functions that run while it is loaded and call through pointers, so that `level` may be too low.
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
    whole: str = ""
    asks_cpu: bool = False
    unfollowed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditResult:
    """The outcome of an audit; it is true when nothing is wrong and all that should be was audited.

    `unaudited` says what could not be audited and why, `notes` what was left out on purpose, and `needs` what each native
    file needs where there was no level to hold it against. `asking` has the files, and their members, that ask the CPU.
    """

    findings: tuple[AuditFinding, ...]
    rules: tuple[str, ...]
    files: int
    """How many native files there are."""
    instructions: int
    seconds: float
    unaudited: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    asking: tuple[tuple[Path, str], ...] = ()

    def __bool__(self) -> bool:
        return self.status == 0

    @property
    def status(self) -> int:
        """The exit status: 0 is clean, 1 is with violations, 2 is not all audited."""
        if any(finding.level == "error" for finding in self.findings):
            return 1
        return 2 if self.unaudited else 0

    def text(self) -> str:
        """Return all of it for people, by file, with a last line that counts."""
        lines = [*told_findings(self.findings, frozenset(self.asking)), *told_needs(self.needs)]
        lines += [f"not audited: {text}" for text in self.unaudited]
        lines += [f"note: {text}" for text in self.notes]
        return "\n".join([*map(printable, lines), self.summary()])

    def summary(self) -> str:
        """Return one line that counts."""
        counts = Counter(finding.level for finding in self.findings)
        found = ", ".join(count(counts[level], level) for level in ("error", "warning") if counts[level])
        rest = f", {len(self.unaudited)} not audited" if self.unaudited else ""
        return (
            f"{count(self.files, 'native file')}, {self.instructions:,} instructions, {self.seconds:.1f} s: "
            f"{found or 'no findings'}{rest}"
        )

    def json(self) -> str:
        """Return all of it for programs."""

        def plain(record: AuditFinding | Need) -> dict[str, object]:
            return {**dataclasses.asdict(record), "file": shown(record.file)}

        document = {
            "status": self.status,
            "files": self.files,
            "instructions": self.instructions,
            "seconds": round(self.seconds, 3),
            "rules": list(self.rules),
            "findings": [plain(each) for each in self.findings],
            "needs": [plain(each) for each in self.needs],
            "asking": [{"file": shown(file), "member": member} for file, member in self.asking],
            "unaudited": list(self.unaudited),
            "notes": list(self.notes),
        }
        return json.dumps(document, indent=2)
