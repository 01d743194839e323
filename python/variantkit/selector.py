"""The selector page of a repository: people pick version, system, machine and tool, and get the lines to use.

One file without external assets. What a page says comes from wheels and from classifiers.toml (`selector_facts` gathers
it), so that all of it is escaped, and the page's own policy lets it run nothing else and ask for nothing. Where the page
will be published is not known here: the lines are made for `ADDRESS`, which the page replaces by its own.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from variantkit import requirement_lines
from variantkit.features import IMPLIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["ADDRESS", "Entry", "Page", "Release", "render"]

ADDRESS = "ADDRESS_OF_THIS_PAGE/simple/"
"""What stands in the lines for the address of the index."""

_VERSION = "\ue000"  # stands in the lines for the version, so that releases share them
_VARIANTS = "uv-variants"  # uv, when it chooses by itself
_EVERY = ""  # instead of a classifier: the lines are the same for all

_TITLES = {
    "poetry": "Poetry",
    "pdm": "PDM",
    "hatch": "Hatch",
    "pixi": "Pixi",
    "docker": "Docker",
    "requirements": "requirements.txt",
    _VARIANTS: "uv, which chooses by itself",
}
_SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
_MACHINES = {"x86_64": "x86-64", "aarch64": "Arm64", "arm64": "Arm64"}


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

    @property
    def platforms(self) -> tuple[str, ...]:
        """Where it is published: the base wheel is needed everywhere."""
        return next((entry.platforms for entry in self.classifiers if entry.base), ())

    @property
    def variants(self) -> bool:
        """Whether there are wheels among which an installer can choose by itself."""
        return any(entry.label for entry in self.classifiers)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """What the page is about: one distribution, its releases, newest first, and the names of other projects beside it.

    `companions` are those of the others that the distribution needs.
    """

    distribution: str
    summary: str = ""
    releases: tuple[Release, ...]
    companions: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def suggested(self) -> Release:
        """The release that is chosen when the page opens: what installers would take."""
        kept = [release for release in self.releases if release.yanked is None] or list(self.releases)
        return next((release for release in kept if not release.snapshot), kept[0])


def render(page: Page, *, lines: Callable[..., str] = requirement_lines.lines) -> str:
    """Return the page; the same `page` gives the same text. `lines` replaces `requirement_lines.lines`."""
    cards = _Cards()
    tables: list[dict[str, dict[str, str]]] = []
    releases = []
    for release in page.releases:
        table = _lines(page, release, lines)
        if table not in tables:
            tables.append(table)
        releases.append(
            {
                "version": release.version,
                "snapshot": release.snapshot,
                "yanked": release.yanked,
                "pythons": _pythons(release.abis),
                "platforms": list(release.platforms),
                "cards": {cards.add(release, entry): _sizes(entry) for entry in _ordered(release.classifiers)},
                "lines": tables.index(table),
            }
        )
    suggested = page.releases.index(page.suggested)
    used = {tool for table in tables for tool in table}
    data = {
        "address": ADDRESS,
        "version": _VERSION,
        "variants": _VARIANTS,
        "suggested": suggested,
        "releases": releases,
        "cards": [{"name": card["name"], "platforms": card["platforms"], "base": card["base"]} for card in cards.cards],
        "lines": tables,
    }
    static = tables[releases[suggested]["lines"]]
    first = next(iter(static.values()))
    return _template().render(
        page=page,
        release=releases[suggested],
        releases=list(enumerate(releases)),
        groups=_groups(releases),
        platforms=[(name, *_platform(name)) for name in dict.fromkeys(p for r in page.releases for p in r.platforms)],
        cards=[{**card, "id": number} for number, card in enumerate(cards.cards)],
        base=next(entry.name for entry in page.suggested.classifiers if entry.base),
        devices=len({card["device"] for card in cards.cards}) > 1,
        tools=[(tool, _TITLES.get(tool, tool)) for tool in _tools() if tool in used],
        variants=_VARIANTS,
        static=next(iter(first.values())).replace(_VERSION, page.suggested.version),
        address=ADDRESS,
        data=_json(data),
    )


def _tools() -> list[str]:
    """Return the tools in the order in which they are offered."""
    tools = list(requirement_lines.TOOLS)
    tools.insert(tools.index("uv") + 1, _VARIANTS)
    return tools


def _lines(page: Page, release: Release, lines: Callable[..., str]) -> dict[str, dict[str, str]]:
    """Return the lines for a release by tool and classifier, with a mark where the version stands."""
    names = [None if entry.base else entry.name for entry in _ordered(release.classifiers)]
    newest = release == page.suggested
    found: dict[str, dict[str, str]] = {}
    for tool in _tools():
        variants = tool == _VARIANTS
        if variants and not release.variants:
            continue
        wanted: dict[str, Any] = {
            "distribution": page.distribution,
            "version": release.version,
            "index": ADDRESS,
            "companions": page.companions,
        }
        if variants:
            texts = [lines("uv", extra=None, variants=True, **wanted)]
        else:
            texts = [lines(tool, extra=name, **wanted) for name in names]
        if not newest and not all(f"=={release.version}" in text for text in texts):
            continue  # these lines get the newest release, or a range
        marked = [text.replace(release.version, _VERSION) for text in texts]
        if len(set(marked)) == 1:
            found[tool] = {_EVERY: marked[0]}
        else:
            found[tool] = {entry.name: text for entry, text in zip(_ordered(release.classifiers), marked, strict=True)}
    return found


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return the base first, then each kind of device by rank."""
    return sorted(entries, key=lambda entry: (not entry.base, entry.device, entry.rank, entry.name))


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
            "systems": [" ".join(_platform(platform)) for platform in entry.platforms],
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
    implied: set[str] = set()
    todo = list(entry.features)
    while todo:
        for feature in IMPLIES.get(todo.pop(), ()):
            if feature not in implied:
                implied.add(feature)
                todo.append(feature)
    known = set(lower.features) if lower else set()
    return sorted(set(entry.features) - known - implied)


def _look(needs: Sequence[str]) -> str:
    """Return a command for Linux that prints as many lines as there are features, where the CPU has them all."""
    if len(needs) == 1:
        return f"grep -m1 -wo {needs[0]} /proc/cpuinfo"
    return f"grep -m1 -woE '{'|'.join(needs)}' /proc/cpuinfo | wc -l" if needs else ""


def _groups(releases: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[int, Mapping[str, Any]]]]]:
    """Return the releases as a long list shows them, with their numbers."""
    kinds: dict[str, list[tuple[int, Mapping[str, Any]]]] = {"Releases": [], "Snapshots": [], "Withdrawn": []}
    for number, release in enumerate(releases):
        kind = "Withdrawn" if release["yanked"] is not None else "Snapshots" if release["snapshot"] else "Releases"
        kinds[kind].append((number, release))
    return [(kind, found) for kind, found in kinds.items() if found]


def _platform(platform: str) -> tuple[str, str]:
    """Return what people call the system and the machine of a platform."""
    system, _, machine = platform.partition("-")
    if system == "macos":
        return "macOS", "Apple silicon" if machine == "arm64" else "Intel"
    return _SYSTEMS.get(system, system), _MACHINES.get(machine, machine)


def _pythons(abis: Iterable[str]) -> str:
    """Return the Python versions of some ABIs: "3.10, 3.11, 3.12 and later; free-threaded 3.13"."""
    usual, free = [], []
    for abi in sorted(set(abis), key=lambda abi: [int("".join(filter(str.isdigit, abi.partition("-")[0])) or 0), abi]):
        tag, _, stable = abi.partition("-")
        digits = "".join(filter(str.isdigit, tag))
        version = f"{digits[:1]}.{digits[1:]}".rstrip(".")
        (free if tag.startswith("cp") and tag.endswith("t") else usual).append(
            f"{version} and later" if stable else version
        )
    parts = [", ".join(usual), f"free-threaded {', '.join(free)}" if free else ""]
    return "; ".join(part for part in parts if part)


def _sizes(entry: Entry) -> dict[str, str]:
    return {platform: _size(size) for platform, size in sorted(entry.sizes.items())}


def _size(size: int) -> str:
    """Return a size as pip prints it."""
    for unit, scale in (("GB", 1_000_000_000), ("MB", 1_000_000)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{max(1, round(size / 1000))} kB"


def _json(value: object) -> Markup:
    """Return JSON that may stand in a script element, whatever is in it."""
    text = json.dumps(value, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704 -- nothing in it can end the element


def _policy_hash(text: str) -> str:
    """Return how a content security policy names the text of a script or a style sheet."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["policy_hash"] = _policy_hash
    source = resources.files("variantkit").joinpath("selector.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source)
