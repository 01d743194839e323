"""What findings have in common: lists in a sentence, and the command that installs something again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from variantkit.installer import command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.doctor.facts import Facts

__all__ = ["installing", "listed", "mending"]

_SHOWN = 4


def listed(items: Sequence[str], between: str = ", ") -> str:
    """Return the items in a row, the first few of them where there are many."""
    more = f"{between}and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return between.join(items[:_SHOWN]) + more


def installing(facts: Facts, classifier: str) -> str:
    """Return the command that adds a classifier."""
    extra = None if classifier == facts.catalogue.base else classifier
    return command(facts.catalogue, extra, installer=facts.installer)


def mending(facts: Facts, classifier: str | None, other: str = "") -> str:
    """Return the command that reinstalls a classifier's wheel, the base for "", or, for None, the requirement `other`."""
    if classifier is not None:
        extra = None if classifier in {"", facts.catalogue.base} else classifier
        if extra and any(item.classifier == extra and item.origin == "base" for item in facts.installed):
            extra = None  # a variant wheel has it within the base package
        return command(facts.catalogue, extra, repair=True, installer=facts.installer)
    words = command(facts.catalogue, repair=True, installer=facts.installer).split()
    return " ".join([*words[:-1], other])
