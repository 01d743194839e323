"""The selector page of a repository: people pick version, system, machine and tool, and get the lines to use.

One file without external assets. What it says comes from wheels and from classifiers.toml, so that all of it is escaped,
and the page's own policy lets it run nothing else and ask for nothing. Where it will be published is not known here: the
lines are made for a stand-in that the page replaces by its own address.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup
from packaging.version import Version

from variantkit import requirement_lines
from variantkit.features import IMPLIES
from variantkit.selector_lines import ADDRESS, VARIANTS, VERSION, all_lines, tools
from variantkit.selector_words import platform_words, python_words, size_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Entry", "Page", "Release", "render"]

_TITLES = {
    "poetry": "Poetry",
    "pdm": "PDM",
    "hatch": "Hatch",
    "pixi": "Pixi",
    "docker": "Docker",
    "requirements": "requirements.txt",
    VARIANTS: "uv, automatic choice",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A classifier of a release.

    `platforms` are those that it is published for, and `sizes` the bytes of its wheel on each, where they are known.
    `label` is that of its variant wheel, where there is one.
    """

    name: str
    summary: str
    device: str = "cpu"
    level: str = ""
    rank: int = 0
    platforms: tuple[str, ...]
    features: tuple[str, ...] = ()
    base: bool = False
    label: str | None = None
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
    """A release; `abis` are those of its base wheels ("cp311", "cp312-abi3"), `yanked` is None or the reason."""

    version: str
    classifiers: tuple[Entry, ...]
    abis: tuple[str, ...] = ()
    snapshot: bool = False
    yanked: str | None = None

    @functools.cached_property
    def parsed(self) -> Version:
        """The version, for comparing it."""
        return Version(self.version)

    @property
    def early(self) -> bool:
        """Whether installers pass it over unless they are asked for it: a snapshot or another pre-release."""
        return self.snapshot or self.parsed.is_prerelease

    @property
    def platforms(self) -> tuple[str, ...]:
        """Where it is published: the base wheel is needed everywhere."""
        return next((entry.platforms for entry in self.classifiers if entry.base), ())

    @property
    def ordered(self) -> tuple[Entry, ...]:
        """The base first, then each kind of device by rank."""
        return tuple(sorted(self.classifiers, key=lambda each: (not each.base, each.device, each.rank, each.name)))

    @property
    def variants(self) -> bool:
        """Whether there are wheels among which an installer can choose by itself."""
        return any(entry.label for entry in self.classifiers)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """What the page is about: one distribution, its releases, newest first, and the names of other projects beside it.

    `companions` are those of the others that the distribution needs. A release without a base cannot be installed, and
    is not shown.
    """

    distribution: str
    summary: str = ""
    releases: tuple[Release, ...]
    companions: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[Release, ...]:
        """The releases that were not withdrawn."""
        return tuple(release for release in self.releases if release.yanked is None)

    @property
    def suggested(self) -> Release:
        """The release that is chosen when the page opens: what installers would take."""
        candidates = self.kept or self.releases
        return next((release for release in candidates if not release.early), candidates[0])


def render(page: Page, *, lines: Callable[..., str] = requirement_lines.lines) -> str:
    """Return the page; the same `page` gives the same text. `lines` replaces `requirement_lines.lines`."""
    page = dataclasses.replace(page, releases=tuple(release for release in page.releases if release.platforms))
    if not page.releases:
        return _template().render(page=page, release=None)
    cards = _Cards()
    tables, table_of = all_lines(page, lines)
    releases: list[dict[str, Any]] = [
        {
            "version": release.version,
            "kind": "snapshot" if release.snapshot else "pre-release" if release.early else "",
            "yanked": release.yanked,
            "pythons": python_words(release.abis),
            "platforms": list(release.platforms),
            "cards": {cards.add(release, entry): _sizes(entry) for entry in release.ordered},
            "lines": table,
        }
        for release, table in zip(page.releases, table_of, strict=True)
    ]
    suggested = page.releases.index(page.suggested)
    data = {
        "address": ADDRESS,
        "version": VERSION,
        "variants": VARIANTS,
        "suggested": suggested,
        "releases": releases,
        "cards": [{"name": card["name"], "platforms": card["platforms"]} for card in cards.cards],
        "lines": tables,
    }
    static = {
        tool: next(iter(texts.values())).replace(VERSION, page.suggested.version)
        for tool, texts in tables[releases[suggested]["lines"]].items()
    }
    platforms = dict.fromkeys(platform for release in page.releases for platform in release.platforms)
    return _template().render(
        page=page,
        release=releases[suggested],
        groups=_groups(releases),
        platforms=[(platform, *platform_words(platform)) for platform in platforms],
        cards=[{**card, "id": number} for number, card in enumerate(cards.cards)],
        base=next(entry.name for entry in page.suggested.classifiers if entry.base),
        devices=len({card["device"] for card in cards.cards}) > 1,
        tools=[(tool, _TITLES.get(tool, tool)) for tool in tools() if any(tool in table for table in tables)],
        variants=VARIANTS,
        static=next(iter(static.values()), ""),
        automatic=static.get(VARIANTS, "").rpartition("\n")[2],
        address=ADDRESS,
        data=_json(data),
    )


class _Cards:
    """What is said of classifiers, each once, however many releases say it."""

    def __init__(self) -> None:
        self.cards: list[dict[str, Any]] = []

    def add(self, release: Release, entry: Entry) -> int:
        """Return the number of the card that says what the release says of the classifier."""
        lower = _lower(release.classifiers, entry)
        needs = _needs(entry, lower)
        on_linux = any(platform.startswith("linux-") for platform in entry.platforms)
        card = {
            "name": entry.name,
            "summary": entry.summary,
            "device": entry.device,
            "level": entry.level,
            "base": entry.base,
            "platforms": list(entry.platforms),
            "systems": [" ".join(platform_words(platform)) for platform in entry.platforms],
            "needs": needs,
            "lower": lower.name if lower else "",
            "lower_is_base": lower is not None and lower.base,
            "look": _look(needs) if on_linux and not entry.base else "",
        }
        if card not in self.cards:
            self.cards.append(card)
        return self.cards.index(card)


def _lower(entries: Sequence[Entry], entry: Entry) -> Entry | None:
    """Return the best of the lesser classifiers that run wherever this one does."""
    lesser = [
        other
        for other in entries
        if other.device == entry.device
        and other.rank < entry.rank
        and set(other.features) <= set(entry.features)
        and set(other.platforms) & set(entry.platforms)
    ]
    return max(lesser, key=lambda other: other.rank, default=None)


def _needs(entry: Entry, lower: Entry | None) -> list[str]:
    """Return the features that a machine with `lower` needs beyond it, without those that others of them imply."""
    implied = {other for feature in entry.features for other in _implied(feature)}
    known = set(lower.features) if lower else set()
    return sorted(set(entry.features) - known - implied)


@functools.cache
def _implied(feature: str) -> frozenset[str]:
    """Return all that a feature implies, to the end of the chain."""
    direct = IMPLIES.get(feature, ())
    return frozenset(direct).union(*map(_implied, direct))


def _look(needs: Sequence[str]) -> str:
    """Return a command for Linux that prints as many lines as there are features, where the CPU has them all."""
    if len(needs) == 1:
        return f"grep -m1 -wo {needs[0]} /proc/cpuinfo"
    return f"grep -m1 -woE '{'|'.join(needs)}' /proc/cpuinfo | wc -l" if needs else ""


def _groups(releases: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[int, Mapping[str, Any]]]]]:
    """Return the releases in the order in which they are offered, with their numbers."""
    kinds: dict[str, list[tuple[int, Mapping[str, Any]]]] = {"Releases": [], "Not final": [], "Withdrawn": []}
    for number, release in enumerate(releases):
        kind = "Withdrawn" if release["yanked"] is not None else "Not final" if release["kind"] else "Releases"
        kinds[kind].append((number, release))
    return [(kind, found) for kind, found in kinds.items() if found]


def _sizes(entry: Entry) -> dict[str, str]:
    return {platform: size_words(size) for platform, size in sorted(entry.sizes.items())}


def _json(value: object) -> Markup:
    """Return JSON that may stand in a script element, whatever is in it."""
    text = json.dumps(value, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704 -- nothing in it can end the element


def _policy_hash(text: str) -> str:
    """Return how a content security policy names the text of a script or a style sheet."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["policy_hash"] = _policy_hash
    source = resources.files("variantkit").joinpath("selector.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source)
