"""Books of rules: what each rule looks at, why it is there and how what it finds is mended.

`variantkit check` has one and `variantkit audit` another; their pages in `docs/` are made from them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Level", "Rule", "Rulebook"]

Level = Literal["error", "warning"]

Subject = TypeVar("Subject")
Problem = TypeVar("Problem")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule(Generic[Subject, Problem]):
    """A rule; `find` gives its problems, and `needs` is what there must be for it to be run, "" for nothing."""

    id: str
    name: str
    what: str
    why: str
    mend: str
    level: Level
    needs: str
    find: Callable[[Subject], Iterable[Problem]]


class Rulebook(Generic[Subject, Problem]):
    """Rules over one kind of subject, by id; all ids begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.rules: dict[str, Rule[Subject, Problem]] = {}

    def rule(
        self, name: str, *, what: str, why: str, mend: str, level: Level = "error", needs: str = ""
    ) -> Callable[[Callable[[Subject], Iterable[Problem]]], Callable[[Subject], Iterable[Problem]]]:
        """Make a function a rule, under its name "VK101 some-words"; `what` says what must hold."""
        identifier, _, words = name.partition(" ")

        def register(find: Callable[[Subject], Iterable[Problem]]) -> Callable[[Subject], Iterable[Problem]]:
            self.rules[identifier] = Rule(
                id=identifier, name=words, what=what, why=why, mend=mend, level=level, needs=needs, find=find
            )
            return find

        return register

    def chosen(self, select: Iterable[str], ignore: Iterable[str]) -> Iterator[Rule[Subject, Problem]]:
        """Return the rules whose id begins with one of `select` (all, without any) and none of `ignore`, in order."""
        select, ignore = tuple(select), tuple(ignore)
        for identifier in sorted(self.rules):
            if identifier.startswith(select or self.prefix) and not (ignore and identifier.startswith(ignore)):
                yield self.rules[identifier]

    def tables(self, groups: Mapping[str, str], needs: Mapping[str, str]) -> list[str]:
        """Return the lines of a page: a table for each group, which is a first digit and its title.

        `needs` has words for what rules need.
        """
        lines = []
        for digit, title in groups.items():
            lines += [
                "",
                f"## {title}",
                "",
                "| rule | what must hold | why | how to mend it |",
                "| --- | --- | --- | --- |",
            ]
            for each in self.chosen([f"{self.prefix}{digit}"], []):
                kind = " (warning)" if each.level == "warning" else ""
                need = f" Needs {needs[each.needs]}." if each.needs else ""
                lines.append(f"| {each.id} `{each.name}`{kind} | {each.what}{need} | {each.why} | {each.mend} |")
        return lines
