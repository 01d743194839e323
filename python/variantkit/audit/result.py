"""What an audit has found, and how it is told to people and to programs."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import TYPE_CHECKING

from variantkit.check.findings import shown
from variantkit.features import LEVELS
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
    constructor: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Need:
    """What one native file needs at least: a level, and the instruction that it needs it for ("" for the lowest level).

    A file that asks CPUID can have code that it does not call everywhere: `whole` is the level of all its code, and
    `beyond` has those of its features that no level has.
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditResult:
    """The outcome of an audit; it is true when nothing is wrong and all that should be was audited.

    `unaudited` says what could not be audited and why, `notes` what was left out on purpose, and `needs` what each native
    file needs where there was no level to hold it against.
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
        lines: list[str] = []
        place: tuple[Path, str] | None = None
        for each in self.findings:
            if (each.file, each.member) != place:
                place = (each.file, each.member)
                lines += ["", _place(*place)] if lines else [_place(*place)]
            lines.append(f"  {each.rule} {each.level:<7}  {each.message}")
        lines += [""] if lines else []
        lines += self._needed()
        lines += [f"not audited: {text}" for text in self.unaudited]
        lines += [f"note: {text}" for text in self.notes]
        return "\n".join([*map(printable, lines), self.summary()])

    def _needed(self) -> list[str]:
        """Return what each wheel or folder needs, and because of what."""
        lines = []
        for file in dict.fromkeys(each.file for each in self.needs):
            own = [each for each in self.needs if each.file == file]
            highest = max(own, key=lambda each: _order(each.level))
            where = f" of {highest.member}" if highest.member != file.name else ""
            lines.append(f"{shown(file)} needs at least {highest.level}{_because(highest, where)}")
            others = [each for each in own if each.instruction and each is not highest]
            lines += [f"  {each.member} needs {each.level}{_because(each)}" for each in others]
            whole = max((each.whole for each in own), key=_order)
            if _order(whole) > _order(highest.level):
                lines.append(f"  It asks what the CPU has while it runs, and then may run code for {whole}")
            if beyond := sorted({feature for each in own for feature in each.beyond}):
                lines.append(f"  It has code for what no level promises: {', '.join(beyond)}")
        return [*lines, ""] if lines else []

    def summary(self) -> str:
        """Return one line that counts."""
        counts = Counter(finding.level for finding in self.findings)
        found = ", ".join(_count(counts[level], level) for level in ("error", "warning") if counts[level])
        rest = f", {len(self.unaudited)} not audited" if self.unaudited else ""
        return (
            f"{_count(self.files, 'native file')}, {self.instructions:,} instructions, {self.seconds:.1f} s: "
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
            "unaudited": list(self.unaudited),
            "notes": list(self.notes),
        }
        return json.dumps(document, indent=2)


def _place(file: Path, member: str) -> str:
    return f"{shown(file)}: {member}" if member and member != file.name else shown(file)


def _order(level: str) -> int:
    return len(LEVELS.get(level, ()))


def _because(need: Need, where: str = "") -> str:
    if not need.instruction:
        return ""
    when = ", which runs while it is loaded" if need.constructor else ""
    what = f"{need.instruction} at {need.address:#x} needs {need.feature}"
    return f", because of {need.symbol}{where}{when}: {what}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
