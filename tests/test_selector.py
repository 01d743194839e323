"""The selector page as text: what it says, that it says it alone, and that nothing in it can leave its place."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from browser import pages
from hosts import RECORDED, host
from variantkit.selector import Entry, Page, Release, render
from variantkit.selector_lines import ADDRESS, VERSION

if TYPE_CHECKING:
    from pathlib import Path

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Parsed(html.parser.HTMLParser):
    """A page as a list of (tag, attributes, text inside); raises where it is not well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {[tag for tag, *_ in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = (tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1][0] == tag, f"</{tag}> closes <{self._open[-1][0]}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for _, _, text in self._open:
            text.append(data)

    def all(self, tag: str, **attributes: str) -> list[tuple[dict[str, str], str]]:
        """Return attributes and text of the elements that have these."""
        return [
            (found, "".join(text))
            for name, found, text in self.elements
            if name == tag and all(found.get(key) == value for key, value in attributes.items())
        ]

    def visible_rows(self) -> list[list[str]]:
        """Return the cells of each row of the table that is shown."""
        rows: list[list[str]] = []
        for tag, found, text in self.elements:
            if tag == "tr":
                rows.append([])
                hidden = "hidden" in found
            elif tag in {"th", "td"}:
                rows[-1] += [] if hidden else [" ".join("".join(text).split())]
        return [row for row in rows if row]


PAGES = {
    "realistic": pages.realistic(),
    "platforms": pages.several_platforms(),
    "withdrawn": pages.withdrawn(),
    "many": pages.many(8),
    "hostile": pages.hostile(),
    "nothing": Page(distribution="empty", releases=(), others=("other",)),
}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    """Each kind of page."""
    return PAGES[request.param]


def data_of(text: str) -> dict[str, object]:
    """Return what the script of a page works on."""
    ((_, found),) = Parsed(text).all("script", type="application/json")
    data: dict[str, object] = json.loads(found)
    return data


def test_it_is_well_formed(page: Page) -> None:
    parsed = Parsed(render(page))
    assert [tag for tag, *_ in parsed.elements].count("h1") == 1
    ids = [found["id"] for _, found, _ in parsed.elements if "id" in found]
    assert len(ids) == len(set(ids))
    for _, found, _ in parsed.elements:
        for key in ("aria-labelledby", "aria-describedby", "for"):
            assert set(found.get(key, "").split()) <= set(ids), found
        assert found.get("data-copy", "lines") in ids or not found.get("data-copy")
    assert all(f"#{found['href'][1:]}" == found["href"] and found["href"][1:] in ids
               for found, _ in parsed.all("a") if found["href"].startswith("#"))  # fmt: skip


def test_the_same_page_gives_the_same_text(page: Page) -> None:
    assert render(page) == render(dataclasses.replace(page))
    assert not re.search(r"\b20\d\d-\d\d-\d\d|\b\d\d:\d\d:\d\d", render(page)), "a time stamp"


def test_nothing_outside_the_page_is_named(page: Page) -> None:
    parsed = Parsed(render(page))
    for tag, found, _ in parsed.elements:
        assert tag not in {"iframe", "object", "embed", "img", "base"}
        assert "style" not in found
        assert not [name for name in found if name.startswith("on")]
        for key in ("src", "href", "action", "srcset", "data"):
            value = found.get(key, "#")
            assert value.startswith(("#", "simple/")) or (tag == "link" and value.startswith("data:image/svg+xml,"))
    for _, style in parsed.all("style"):
        assert not re.search(r"url\(|@import|@font-face", style)
    ((policy, _),) = parsed.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'; ")
    assert "unsafe" not in policy["content"]


def test_every_input_has_a_label_with_words(page: Page) -> None:
    text = render(page)
    labels = re.findall(r"<label\b[^>]*>(.*?)</label>", text, flags=re.DOTALL)
    inside = [Parsed(label) for label in labels]
    assert all(len(parsed.all("input")) == 1 for parsed in inside)
    assert all(re.sub(r"<[^>]*>|\s", "", label) for label in labels)
    parsed = Parsed(text)
    assert len(parsed.all("input")) == len(labels)
    groups = [found for found, _ in parsed.all("div") if found.get("role") == "radiogroup"]
    assert all(found["aria-labelledby"] for found in groups)
    assert all(found["aria-labelledby"] for found, _ in parsed.all("select"))
    assert all(found["type"] == "button" for found, _ in parsed.all("button"))


def test_the_table_says_what_is_in_the_wheels() -> None:
    linux = "Linux x86-64"
    avx2 = "all of generic, and abm avx2 bmi1 bmi2 cx16 f16c fma lahf_lm movbe popcnt"
    avx512 = "all of avx2, and avx512bw avx512cd avx512dq avx512vl"
    assert Parsed(render(pages.realistic())).visible_rows() == [
        ["Classifier", "For", "Level", "Needs", "Systems", "Wheel"],
        ["generic", "any x86-64 machine; no AVX", "x86-64", "nothing beyond its level", linux, "412 kB"],
        ["avx2", "Haswell, Zen 1 and later", "x86-64-v3", avx2, linux, "214 kB"],
        ["avx512", "Skylake-X, Ice Lake, Sapphire Rapids, Zen 4 and later", "x86-64-v4", avx512, linux, "1.3 MB"],
    ]


def test_devices_are_told_apart_where_there_are_several() -> None:
    rows = Parsed(render(pages.several_platforms())).visible_rows()
    assert rows[0] == ["Classifier", "For", "Device", "Level", "Needs", "Systems", "Wheel"]
    assert rows[-1] == ["cuda-13", "NVIDIA GPUs", "CUDA", "any", "nothing more", "Linux x86-64", "2.4 GB"]


def test_the_base_of_the_newest_final_release_is_what_is_suggested() -> None:
    checked = [found["value"] for found, _ in Parsed(render(pages.realistic())).all("input") if "checked" in found]
    assert checked == ["1", "linux-x86_64", "0", "pip"]


def test_a_withdrawn_release_is_not_suggested() -> None:
    parsed = Parsed(render(pages.withdrawn()))
    assert parsed.all("h3", id="what")[0][1] == "0.2.0 · generic · pip"
    releases = data_of(render(pages.withdrawn()))["releases"]
    assert isinstance(releases, list)
    assert releases[0]["yanked"] == "wrong results on <old> CPUs"


def test_a_snapshot_is_suggested_where_there_is_nothing_else() -> None:
    page = pages.realistic()
    only = dataclasses.replace(page, releases=page.releases[:1])
    assert only.suggested.version == "0.2.1.dev2026112401"
    assert "snapshot</span>" in render(only)


def test_without_a_script_there_is_the_line_for_pip() -> None:
    shown = Parsed(render(pages.realistic())).all("pre", id="lines")[0][1]
    assert f'--index-url "{ADDRESS}" ndkernels variantkit' in shown
    assert VERSION not in shown


def test_a_release_without_a_base_wheel_is_not_shown() -> None:
    fast = Entry(name="avx2", summary="most PCs", platforms=("linux-x86_64",))
    page = Page(distribution="broken", releases=(Release(version="1.0", classifiers=(fast,)),))
    assert "There is no release yet" in render(page)


def test_a_tool_whose_line_gets_another_release_is_left_out() -> None:
    data = data_of(render(pages.realistic()))
    tables, releases = data["lines"], data["releases"]
    assert isinstance(tables, list)
    assert isinstance(releases, list)
    assert {each["version"]: set(tables[each["lines"]]) for each in releases} == pages.TOOLS_OF


def test_a_compatible_range_is_no_name_for_an_older_repair() -> None:
    page = pages.realistic()
    versions = ("1.2.1", "1.2.0", "1.1.9", "1.1")
    page = dataclasses.replace(
        page, releases=tuple(dataclasses.replace(page.releases[1], version=version) for version in versions)
    )
    data = data_of(render(page))
    tables, releases = data["lines"], data["releases"]
    assert isinstance(tables, list)
    assert isinstance(releases, list)
    with_range = {each["version"] for each in releases if "poetry" in tables[each["lines"]]}
    assert with_range == {"1.2.1", "1.1.9"}


def test_lines_are_asked_for_once_each_and_taken_as_they_are() -> None:
    asked = []

    def lines(tool: str, **wanted: object) -> str:
        asked.append((tool, wanted["version"], wanted["extra"], wanted.get("variants", False)))
        return f"{tool} <{wanted['extra']}> =={wanted['version']} {wanted['index']} {wanted['companions']}"

    data = data_of(render(pages.realistic(), lines=lines))
    assert len(asked) == len(set(asked))
    assert ("uv", "0.2.0", None, True) in asked
    assert ("pip", "0.1.0", "avx2", False) in asked
    tables = data["lines"]
    assert isinstance(tables, list)
    assert tables[0]["pip"]["avx2"] == f"pip <avx2> =={VERSION} {ADDRESS} ('variantkit',)"
    assert len(tables) == 2, "releases with the same lines share them"


def test_hundreds_of_releases_share_their_lines() -> None:
    text = render(pages.many(200))
    assert len(text) < 200_000
    assert len(Parsed(text).all("option")) == 200


def test_whatever_wheels_say_stays_in_its_place() -> None:
    text = render(pages.hostile())
    parsed = Parsed(text)
    assert [tag for tag, *_ in parsed.elements].count("script") == text.count("</script>") == 3
    assert "<!--" not in text
    assert pages.HOSTILE in parsed.all("header")[0][1]
    assert pages.HOSTILE in parsed.all("a")[-1][1]
    assert {about for _, about in parsed.all("span", **{"class": "about"})} == {pages.HOSTILE}
    assert {cell for _, cell in parsed.all("td", **{"data-column": "Level"})} == {pages.HOSTILE}
    releases = data_of(text)["releases"]
    assert isinstance(releases, list)
    assert releases[-1]["yanked"] == pages.HOSTILE


def test_whatever_a_classifier_is_called_stays_in_its_place() -> None:
    page = pages.hostile()
    entries = tuple(dataclasses.replace(entry, name=pages.HOSTILE) for entry in page.releases[0].classifiers[:1])
    text = render(dataclasses.replace(page, releases=(dataclasses.replace(page.releases[0], classifiers=entries),)))
    assert [tag for tag, *_ in Parsed(text).elements].count("script") == text.count("</script>") == 3
    assert "<!--" not in text
    cards = data_of(text)["cards"]
    assert isinstance(cards, list)
    assert cards[0]["name"] == pages.HOSTILE


def test_the_hints_agree_with_the_loader(tmp_path: Path) -> None:
    elements = Parsed(render(pages.realistic())).all("code")
    commands = [text for found, text in elements if found.get("id", "").startswith("look-")]
    classifiers = pages.realistic().releases[0].ordered[1:]
    seen = set()
    for name in RECORDED:
        machine = host(name)
        if machine.platform != "linux-x86_64":
            continue
        # Two CPUs, as in a real file, and lines that must not be taken for features.
        cpu = f"model name\t: 4 GHz\nfpu\t\t: yes\nflags\t\t: {' '.join(sorted(machine.features))}\nbugs\t\t:\n"
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{cpu}\nprocessor\t: 1\n{cpu}")
        printed = []
        for command in commands:
            shell = command.replace("/proc/cpuinfo", str(tmp_path / "cpuinfo"))
            printed.append(subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, text=True, check=True).stdout)
        # Each says what is needed beyond the one before it.
        said = [printed[0].strip() == "10", [text.strip() for text in printed] == ["10", "4"]]
        assert said == [not machine.missing(entry.features) for entry in classifiers], name
        seen.add(tuple(said))
    assert seen == {(False, False), (True, False), (True, True)}, "machines of each kind were looked at"


def test_one_feature_is_looked_for_by_its_name() -> None:
    base = Entry(name="base", summary="all", platforms=("linux-x86_64",), features=("fxsr", "sse", "sse2"), base=True)
    more = dataclasses.replace(base, name="pni", rank=1, base=False, features=(*base.features, "pni"))
    same = dataclasses.replace(more, name="helper", rank=2)
    mac = dataclasses.replace(more, name="mac", rank=3, platforms=("macos-x86_64",))
    text = render(Page(distribution="x", releases=(Release(version="1", classifiers=(base, more, same, mac)),)))
    assert "grep -m1 -wo pni /proc/cpuinfo" in text
    assert text.count("/proc/cpuinfo</code>") == 1
    assert "the same as <code>pni</code>" in text


@pytest.mark.parametrize(
    ("abis", "words"),
    [
        (("cp314t", "cp310", "cp39", "cp312-abi3"), "3.9, 3.10, 3.12 and later; free-threaded 3.14"),
        (("none",), ""),
        ((), ""),
    ],
)
def test_versions_of_python_in_words(abis: tuple[str, ...], words: str) -> None:
    from variantkit.selector_words import python_words

    assert python_words(abis) == words


@pytest.mark.parametrize(
    ("size", "words"), [(1, "1 kB"), (999_000, "999 kB"), (1_250_000, "1.2 MB"), (3 * 10**9, "3.0 GB")]
)
def test_sizes_in_words(size: int, words: str) -> None:
    from variantkit.selector_words import size_words

    assert size_words(size) == words
