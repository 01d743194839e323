"""What an audit has found, for people: by file and by rule, the first few functions of many, and what to do once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from variantkit.check.findings import count, shown
from variantkit.features import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from variantkit.audit.result import AuditFinding, Need

__all__ = ["told_findings", "told_needs"]

_CONSTRUCTORS, _FUNCTIONS = "VA102", "VA101"
# So many functions of one file are listed, of a rule that may find thousands. Those that run at load come first.
_MOST = {_CONSTRUCTORS: 20, _FUNCTIONS: 5, "VA105": 5}
_INDENT = " " * 17


def told_findings(findings: Iterable[AuditFinding], asking: frozenset[tuple[Path, str]]) -> list[str]:
    """Return the lines on what is wrong; `asking` are the files that ask the CPU what it has."""
    places: dict[tuple[Path, str], dict[str, list[AuditFinding]]] = {}
    for each in findings:
        places.setdefault((each.file, each.member), {}).setdefault(each.rule, []).append(each)
    lines: list[str] = []
    for place, rules in places.items():
        lines += ["", _place(*place)] if lines else [_place(*place)]
        for rule in sorted(rules, key=lambda rule: (rule != _CONSTRUCTORS, rule)):
            lines += _told_rule(rules[rule])
            if rule == _FUNCTIONS and place in asking:
                lines.append(
                    f"{_INDENT}It asks the CPU what it has; these may be functions that it chooses among then: allow them in "
                    f"[[classifier.dispatch]] if so."
                )
    return [*lines, ""] if lines else []


def _told_rule(found: Sequence[AuditFinding]) -> list[str]:
    most = _MOST.get(found[0].rule, len(found))
    mends = {each.mend for each in found}
    once = mends.pop() if len(mends) == 1 and len(found) > 1 else ""
    lines = []
    for each in found[:most]:
        message = each.message.removesuffix(once).rstrip() if once else each.message
        lines.append(f"  {each.rule} {each.level:<7}  {message}")
    if len(found) > most:
        more = count(len(found) - most, "more function")
        totals = Counter(feature for each in found for feature in each.features).most_common()
        listed = ", ".join(f"{feature} in {number:,}" for feature, number in totals)
        lines.append(f"{_INDENT}and {more}{f'; in all, {listed}' if listed else ''}.")
    return [*lines, f"{_INDENT}{once}"] if once else lines


def told_needs(needs: Sequence[Need]) -> list[str]:
    """Return what each wheel, folder or file needs, and because of what."""
    lines = []
    for file in dict.fromkeys(each.file for each in needs):
        lines += _told_file(file, [each for each in needs if each.file == file])
    return [*lines, ""] if lines else []


def _told_file(file: Path, own: Sequence[Need]) -> list[str]:
    highest = max(own, key=lambda each: _order(each.level))
    where = f" of {highest.member}" if highest.member != file.name else ""
    whole = max((each.whole for each in own if each.asks_cpu), key=_order, default="")
    head = f"{shown(file)} needs at least {highest.level}"
    because = _because(highest, where)
    if _order(whole) > _order(highest.level):
        # What does not ask needs all of its code to be able to run, and not only what runs at load.
        sure = highest.asks_cpu or not highest.instruction
        head += " while it is loaded" if sure else ""
        head += f", and up to {whole} in code that it may choose (it asks the CPU somewhere; if before each function, cannot be seen)"
        lines = [head, f"  It needs {highest.level}{because}"] if because else [head]
    else:
        lines = [head + because]
    others = [each for each in own if each.instruction and each is not highest]
    lines += [f"  {each.member} needs {each.level}{_because(each)}" for each in others]
    for each in own:
        if each.asks_cpu and each.unfollowed:
            of = f" of {each.member}" if each.member != file.name else ""
            more = f" and {len(each.unfollowed) - 1} more" if len(each.unfollowed) > 1 else ""
            lines.append(
                f"  A constructor{of} calls through pointers, which are not followed: what it calls may need more "
                f"({each.unfollowed[0]}{more})"
            )
    if beyond := sorted({feature for each in own for feature in each.beyond}):
        lines.append(f"  It has code for what no level promises: {', '.join(beyond)}")
    return lines


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
