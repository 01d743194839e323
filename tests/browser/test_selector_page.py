"""The selector page in a real browser: every choice, by mouse and by keyboard alone, in every light and width."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import html5lib
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from browser import pages
from browser.conftest import write
from browser.selector import Selector
from variantkit import requirement_lines
from variantkit.selector import render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from selenium.webdriver.chrome.webdriver import WebDriver

    from browser.conftest import Served
    from variantkit.selector import Page

    Open = Callable[..., Selector]

VARIANTS = "uv-variants"
ORDER = ["pip", "requirements", "uv", VARIANTS, "poetry", "pdm", "hatch", "pixi", "conda", "docker"]
SCHEMES = ("light", "dark")


def expected(index: str, version: str, tool: str, machine: str) -> str:
    """Return the lines that the page must show."""
    extra = None if machine == "generic" or tool == VARIANTS else machine
    return requirement_lines.lines(
        "uv" if tool == VARIANTS else tool,
        distribution="ndkernels",
        version=version,
        extra=extra,
        index=index,
        variants=tool == VARIANTS,
    )


def test_every_choice_gives_its_lines(open_page: Open) -> None:
    page = open_page(pages.realistic())
    seen = set()
    assert list(page.options("version")) == ["0.2.0", "0.1.0", "0.2.1.dev2026112401"]
    for version, tools in pages.TOOLS_OF.items():
        page.choose("version", version)
        offered = page.options("tool")
        assert {tool for tool, able in offered.items() if able} == tools
        assert list(offered) == [tool for tool in ORDER if tool in offered]
        assert offered.keys() == set(ORDER) - ({VARIANTS} - tools), "uv does not choose among what is not there"
        machines = ["generic", "avx2"] if version == "0.1.0" else ["generic", "avx2", "avx512"]
        for tool in sorted(tools):
            page.choose("tool", tool)
            assert list(page.options("machine")) == machines
            for machine, able in page.options("machine").items():
                if able:
                    page.choose("machine", machine)
                else:
                    assert tool in {"docker", VARIANTS}, "these lines depend on the machine"
                assert page.lines == expected(page.index, version, tool, machine)
                seen.add(page.lines)
    # 10 tools of which 2 are the same for each of 3 machines, twice; 8 of which 1 is, for 2 machines.
    assert len(seen) == 2 * (8 * 3 + 2) + (7 * 2 + 1)


def test_what_opens_is_what_is_safe(open_page: Open) -> None:
    page = open_page(pages.realistic())
    chosen = {group: page.chosen(group) for group in ("version", "system", "machine", "tool")}
    assert chosen == {"version": "0.2.0", "system": "linux-x86_64", "machine": "generic", "tool": "pip"}
    assert page.lines == expected(page.index, "0.2.0", "pip", "generic")
    assert "the first import says so once" in page.one("#unsure").text


def test_the_keyboard_alone_is_enough(open_page: Open) -> None:
    page = open_page(pages.realistic())
    page.run("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    for group in ("version", "system", "machine", "tool"):
        page.press(Keys.TAB)
        while page.focused.tag_name == "a":
            page.press(Keys.TAB)
        assert page.focused.get_attribute("name") == group
        assert page.focused.is_selected(), "a group is entered at what is chosen"
    # Back to the machine, to the third of them, and on to the fifth tool.
    for _ in range(2):  # the link below the machines, the machines
        ActionChains(page.browser).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert page.chosen("machine") == "avx512"
    page.press(Keys.TAB, Keys.TAB)
    page.press(*[Keys.ARROW_RIGHT] * 4)
    assert page.chosen("tool") == "poetry"
    assert page.lines == expected(page.index, "0.2.0", "poetry", "avx512")
    page.press(Keys.TAB)
    assert page.focused.get_attribute("aria-label") == "Copy the lines"
    page.press(Keys.ENTER)
    WebDriverWait(page.browser, 10).until(lambda _: page.run("return window.copied") is not None)
    assert page.run("return window.copied") == page.lines


def test_arrows_pass_over_what_cannot_be_had(open_page: Open) -> None:
    page = open_page(pages.realistic(), "#version=0.1.0")
    assert page.chosen("tool") == "requirements"
    page.run("document.querySelector('[name=tool]:checked').focus()")
    page.press(Keys.ARROW_LEFT)
    assert page.chosen("tool") == "docker", "round the end, not to pip"


def test_the_focus_can_be_seen_wherever_it_goes(open_page: Open) -> None:
    page = open_page(pages.realistic())
    places = []
    for _ in range(40):
        page.press(Keys.TAB)
        if page.focused.tag_name == "body":
            break
        ring = page.run(
            """
            const ring = (element) => {
              const style = getComputedStyle(element);
              return style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
            };
            const at = document.activeElement;
            return Math.max(ring(at), at.closest("label") ? ring(at.closest("label")) : 0);
            """
        )
        assert ring >= 2, page.focused.get_attribute("outerHTML")
        places.append(page.focused.tag_name)
    # Four groups, the link to the explanation, six buttons to copy or show something, and the two lists of files.
    assert places.count("input") == 4
    assert places.count("a") == 3
    assert places.count("button") == 6


@pytest.mark.parametrize("clipboard", ["its own", "the old way"])
def test_copying(browser: WebDriver, open_page: Open, clipboard: str) -> None:
    page = open_page(pages.realistic(), "#machine=avx2&tool=uv")
    permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": page.address.rstrip("/")}
    browser.execute_cdp_cmd("Browser.grantPermissions", permissions)
    if clipboard == "the old way":  # as on a page that came over plain http from another machine
        page.run("Object.defineProperty(navigator.clipboard, 'writeText', {value: () => Promise.reject()})")
    button = page.one("[data-copy=lines]")
    button.click()
    WebDriverWait(browser, 10).until(lambda _: button.text == "Copied")
    assert page.one("#said").get_attribute("textContent") == "Copied"
    read = "const done = arguments[0]; navigator.clipboard.readText().then(done, (error) => done(String(error)))"
    assert browser.execute_async_script(read) == expected(page.index, "0.2.0", "uv", "avx2")
    page.one("[data-copy=look-2]").click()
    WebDriverWait(browser, 10).until(lambda _: "avx512vl" in browser.execute_async_script(read))
    WebDriverWait(browser, 10).until(lambda _: button.text == "Copy")


def test_a_change_is_read_out(open_page: Open) -> None:
    page = open_page(pages.realistic())
    assert page.run("return document.querySelector('#lines').closest('[aria-live=polite]').role") == "status"
    assert page.run("return document.querySelector('#said').ariaLive") == "polite"
    page.choose("machine", "avx2")
    assert page.one("#what").text == "0.2.0 · avx2 · pip"


def test_notes_are_read_out_with_their_group_while_they_hold(open_page: Open) -> None:
    page = open_page(pages.realistic())
    machines, tools = page.one("#machines"), page.one("[aria-labelledby=name-tool]")
    assert machines.get_attribute("aria-describedby") == "unsure"
    assert tools.get_attribute("aria-describedby") is None
    page.choose("tool", "docker")
    assert machines.get_attribute("aria-describedby") == "same"
    page.choose("tool", VARIANTS)
    assert machines.get_attribute("aria-describedby") == "chooses"
    assert [each.get_attribute("id") for each in page.shown("#machines .note")] == ["chooses"]
    page.choose("version", "0.1.0")
    assert machines.get_attribute("aria-describedby") == "unsure"
    assert tools.get_attribute("aria-describedby") == "no-tool"


def test_what_is_wanted_comes_back_where_it_is_to_be_had(open_page: Open) -> None:
    page = open_page(pages.realistic())
    page.choose("machine", "avx512")
    page.choose("version", "0.1.0")
    assert page.chosen("machine") == "generic"
    assert page.chosen("tool") == "requirements"
    page.choose("version", "0.2.1.dev2026112401")
    assert (page.chosen("machine"), page.chosen("tool")) == ("avx512", "pip")
    page.choose("tool", "docker")
    page.choose("tool", "hatch")
    assert page.chosen("machine") == "avx512"


def test_the_table_follows_the_version(open_page: Open) -> None:
    page = open_page(pages.realistic())

    def table() -> list[tuple[str, str]]:
        rows = [row.text for row in page.shown("tbody tr")]
        return [(row.split()[0], " ".join(row.split()[-2:])) for row in rows]

    assert table() == [("generic", "412 kB"), ("avx2", "214 kB"), ("avx512", "1.3 MB")]
    page.choose("version", "0.1.0")
    assert page.one("#classifiers").text == "Classifiers of 0.1.0"
    assert table() == [("generic", "371 kB"), ("avx2", "193 kB")]
    assert page.one("#pythons").text == "3.10, 3.11, 3.12 and later"
    assert len(page.shown(".looks li")) == 1
    assert page.shown("[data-variants]") == [], "uv would get another release"


def test_uv_is_shown_where_the_page_says_that_it_can_choose(open_page: Open) -> None:
    page = open_page(pages.realistic())
    page.one("#use-variants").click()
    assert page.chosen("tool") == VARIANTS
    assert page.focused.get_attribute("value") == VARIANTS
    assert page.lines == expected(page.index, "0.2.0", VARIANTS, "generic")
    assert set(page.options("machine").values()) == {False}


def test_choices_are_in_the_address_and_come_back(open_page: Open) -> None:
    page = open_page(pages.realistic())
    page.choose("version", "0.1.0")
    page.choose("machine", "avx2")
    page.choose("tool", "conda")
    assert page.browser.current_url == f"{page.address}#version=0.1.0&machine=avx2&tool=conda"
    page.browser.refresh()
    assert page.lines == expected(page.index, "0.1.0", "conda", "avx2")
    page.run("location.hash = 'machine=avx512&tool=pdm'")
    WebDriverWait(page.browser, 10).until(lambda _: page.chosen("machine") == "avx512")
    assert page.lines == expected(page.index, "0.2.0", "pdm", "avx512")


@pytest.mark.parametrize("fragment", ["#which", "#version=9&machine=%00&tool=none&system=amiga", "#%", "#]\"'<b>"])
def test_a_strange_fragment_changes_nothing(open_page: Open, fragment: str) -> None:
    page = open_page(pages.realistic(), fragment)
    assert page.lines == expected(page.index, "0.2.0", "pip", "generic")
    page.choose("machine", "avx2")
    assert page.lines == expected(page.index, "0.2.0", "pip", "avx2")


def test_the_address_is_fit_to_be_pasted(open_page: Open) -> None:
    page = open_page(pages.realistic(), below="it's $(a) & b;c", fragment="#tool=requirements")
    encoded = "it%27s%20%24%28a%29%20%26%20b%3Bc"
    address = f"{page.address.split('it')[0]}{encoded}/simple/"
    assert page.lines == expected(address, "0.2.0", "requirements", "generic")
    assert page.one("#address").text == address


def test_snapshots_and_withdrawn_releases_are_named_as_such(open_page: Open) -> None:
    page = open_page(pages.withdrawn())
    assert page.chosen("version") == "0.2.0"
    assert page.shown(".warning") == []
    page.choose("version", "0.2.1.dev2026112401")
    assert [each.get_attribute("id") for each in page.shown(".warning")] == ["snapshot"]
    page.choose("version", "0.3.0")
    assert "This release was withdrawn: wrong results on <old> CPUs." in page.one("#yanked").text
    assert [tool for tool, able in page.options("tool").items() if able] == ["requirements", "conda", "docker"]
    assert "ndkernels==0.3.0" in page.lines


def test_hundreds_of_releases_are_a_list(open_page: Open) -> None:
    page = open_page(pages.many(200), "#machine=avx2")
    field = page.one("select[name=version]")
    assert field.accessible_name == "Version"
    field.send_keys(Keys.ARROW_DOWN)
    assert page.one("#classifiers").text == "Classifiers of 0.199.0"
    assert page.browser.current_url.endswith("#version=0.199.0&machine=avx2")
    page.choose("tool", "uv")
    assert page.lines == expected(page.index, "0.199.0", "uv", "avx2")
    page.browser.refresh()
    assert page.lines == expected(page.index, "0.199.0", "uv", "avx2")


@pytest.mark.parametrize(
    ("platform", "agent", "system"),
    [
        ("Linux x86_64", "Mozilla/5.0 (X11; Linux x86_64)", "linux-x86_64"),
        ("Linux aarch64", "Mozilla/5.0 (X11; Linux aarch64)", "linux-aarch64"),
        ("MacIntel", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "macos-arm64"),
        ("Win32", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "windows-x86_64"),
        ("Linux armv81", "Mozilla/5.0 (Linux; Android 14)", "linux-x86_64"),
        ("iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)", "linux-x86_64"),
    ],
)
def test_the_system_of_the_browser_is_chosen(
    browser: WebDriver, open_page: Open, platform: str, agent: str, system: str
) -> None:
    browser.execute_cdp_cmd("Emulation.setUserAgentOverride", {"userAgent": agent, "platform": platform})
    page = open_page(pages.several_platforms())
    assert page.chosen("system") == system
    assert not page.one("#no-system").is_displayed()


def test_a_system_that_is_not_published_is_never_pretended(browser: WebDriver, open_page: Open) -> None:
    agent = {"userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "platform": "Win32"}
    browser.execute_cdp_cmd("Emulation.setUserAgentOverride", agent)
    page = open_page(pages.realistic())
    assert page.chosen("system") == "linux-x86_64"
    assert "not published for the system" in page.one("#no-system").text
    page.run("location.hash = 'system=linux-x86_64'")
    WebDriverWait(browser, 10).until(lambda _: not page.one("#no-system").is_displayed())


def test_machines_and_sizes_follow_the_system(open_page: Open) -> None:
    page = open_page(pages.several_platforms())
    assert page.options("machine") == {"base": True, "avx2": True, "cuda-13": True}
    page.choose("machine", "avx2")
    page.choose("system", "windows-x86_64")
    assert page.options("machine") == {"base": True, "avx2": True, "cuda-13": False}
    assert page.chosen("machine") == "avx2"
    assert [each.text for each in page.shown("td.size")] == ["600 kB", "500 kB", "2.4 GB"]
    page.choose("system", "macos-arm64")
    assert page.chosen("machine") == "base"
    page.choose("version", "0.9")
    assert page.options("system") == {
        "linux-x86_64": True, "linux-aarch64": False, "macos-arm64": False, "windows-x86_64": False
    }  # fmt: skip
    assert page.options("machine") == {"base": True}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_can_be_read(open_page: Open, scheme: str) -> None:
    page = open_page(pages.withdrawn())
    page.emulate(prefers_color_scheme=scheme)
    for choices in ("", "#version=0.3.0", "#version=0.1.0&machine=avx2", "#version=0.2.1.dev2026112401&tool=docker"):
        page.run("location.hash = arguments[0]", choices)
        found = page.run(_CONTRASTS)
        assert len(found) > 60
        assert [text for ratio, text in found if ratio < 4.5] == []
    background = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 200) == (scheme == "dark")


_CONTRASTS = """
const channels = (color) => {
  const [red, green, blue, alpha = 1] = color.match(/[\\d.]+/g).map(Number);
  return [red, green, blue, alpha];
};
const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
const background = (element) => {
  const layers = [];
  for (let each = element; each; each = each.parentElement) layers.push(channels(getComputedStyle(each).backgroundColor));
  return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
};
const luminance = (color) => {
  const [red, green, blue] = color.slice(0, 3).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, .unseen")) continue;
  const below = background(element);
  const text = luminance(over(channels(getComputedStyle(element).color), below));
  const [dark, light] = [text, luminance(below)].sort((one, two) => one - two);
  found.push([(light + 0.05) / (dark + 0.05), walker.currentNode.data.trim()]);
}
return found;
"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("make", [pages.realistic, pages.several_platforms, pages.withdrawn, pages.many])
def test_axe_finds_nothing(open_page: Open, axe: str, make: Callable[[], Page], width: int, scheme: str) -> None:
    page = open_page(make(), "#version=0.1.0&tool=conda" if make is pages.realistic else "")
    page.emulate(prefers_color_scheme=scheme)
    page.resize(width)
    page.run(axe)
    found = page.browser.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done, (e) => done(String(e)))"
    )
    assert isinstance(found, dict), found
    assert len(found["passes"]) > 20
    rules = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]
    assert rules == []


@pytest.mark.parametrize("width", [320, 390, 704, 705, 928, 929, 2560])
@pytest.mark.parametrize("make", [pages.realistic, pages.several_platforms, pages.hostile])
def test_nothing_is_wider_than_the_screen(open_page: Open, make: Callable[[], Page], width: int) -> None:
    page = open_page(make())
    page.resize(width, 800)
    for tool in requirement_lines.TOOLS:
        page.run("location.hash = arguments[0]", f"tool={tool}")
        assert page.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth"), tool
    cut = page.run(
        """
        return [...document.querySelectorAll("body *")].filter((each) => {
          if (!each.checkVisibility() || each.closest(".unseen, thead")) return false;
          const box = each.getBoundingClientRect();
          return box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5);
        }).map((each) => each.outerHTML.slice(0, 200));
        """
    )
    assert cut == []


def test_nothing_is_asked_for_but_the_page(browser: WebDriver, serve: Callable[..., Served]) -> None:
    served = serve(pages.realistic())
    browser.get(served.address)
    page = Selector(browser, served.address)
    for tool, able in page.options("tool").items():
        if able:
            page.choose("tool", tool)
    page.one("[data-copy=detect]").click()
    events: list[dict[str, Any]] = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:image/svg+xml,")] == [served.address]
    assert served.asked == ["/"]


def test_the_policy_of_the_page_stops_what_it_does_not_have(browser: WebDriver, open_page: Open) -> None:
    page = open_page(pages.realistic())
    page.run(
        """
        window.stopped = [];
        document.addEventListener("securitypolicyviolation", (event) => window.stopped.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.taken = true";
        const image = document.createElement("img");
        image.src = "simple/x.png";
        document.body.append(script, image);
        """
    )
    WebDriverWait(browser, 10).until(lambda _: len(page.run("return window.stopped")) >= 2)
    assert page.run("return window.taken") is None
    assert set(page.run("return window.stopped")) == {"script-src-elem", "img-src"}
    assert {entry["level"] for entry in browser.get_log("browser")} == {"SEVERE"}, "said, and taken from the log"


def test_whatever_wheels_say_is_only_text(open_page: Open) -> None:
    page = open_page(pages.hostile(), "#version=0.1.0")
    assert page.browser.title == "Install ndkernels"
    assert page.one("header p").text == pages.HOSTILE
    assert page.one("#yanked-why").text == pages.HOSTILE
    assert page.shown(".about")[0].text == pages.HOSTILE
    assert page.browser.find_elements("css selector", "img") == []


def test_without_a_script_there_are_the_table_and_the_line_for_pip(browser: WebDriver, open_page: Open) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page = open_page(pages.realistic())
        shown = page.one("#lines").text
        assert shown == expected("ADDRESS_OF_THIS_PAGE/simple/", "0.2.0", "pip", "generic")
        assert "Replace ADDRESS_OF_THIS_PAGE/simple/" in page.one("body").text
        assert [row.text.split()[0] for row in page.shown("tbody tr")] == ["generic", "avx2", "avx512"]
        assert page.shown("input, button, select, .with-script") == []
        assert "uv pip install --preview-features wheel-variants" in page.one("[data-variants]").text
        assert [link.text for link in page.shown("footer a")] == ["all of ndkernels", "variantkit"]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_page_in_a_folder(browser: WebDriver, tmp_path: Path) -> None:
    folder = write(pages.realistic(), tmp_path / "an index")
    browser.get((folder / "index.html").as_uri())
    page = Selector(browser, f"{folder.as_uri()}/")
    page.choose("tool", "uv")
    page.choose("machine", "avx512")
    assert page.lines == expected(page.index, "0.2.0", "uv", "avx512")
    assert "an%20index/simple/" in page.lines
    browser.refresh()
    assert page.lines == expected(page.index, "0.2.0", "uv", "avx512")


def test_the_page_of_a_repository(browser: WebDriver, serve: Callable[..., Served], published: Path) -> None:
    served = serve(published)
    browser.get(served.address)
    page = Selector(browser, served.address)
    assert page.options("version") == {"1.1": True, "1.0": True}
    assert [row.text.split()[0] for row in page.shown("tbody tr")] == [
        "generic",
        "onednn",
        "avx2",
        "onednn-avx2",
        "avx512",
        "onednn-avx512",
    ]
    assert {size.text for size in page.shown("td.size")} == {"1 kB"}
    assert page.one("#pythons").text == "3.11"
    for tool in ("pip", VARIANTS, "uv"):
        page.choose("tool", tool)
        assert page.lines == expected(page.index, "1.1", tool, "generic")
    page.choose("machine", "avx512")
    page.choose("version", "1.0")
    assert page.chosen("tool") == "requirements", "~=1.0 would get 1.1"
    assert page.lines == expected(page.index, "1.0", "requirements", "avx512")
    for link in ("all of ndkernels", "variantkit"):
        page.browser.find_element("link text", link).click()
        assert "1.1" in page.one("body").text
        browser.back()
    browser.get(page.index)
    assert "ndkernels-avx512" in page.one("body").text
    assert [path for path in served.asked if path != "/favicon.ico"] == [
        "/",
        "/simple/ndkernels/",
        "/simple/variantkit/",
        "/simple/",
    ]
    browser.get_log("browser")  # the lists of files have no icon, and the browser says so


@pytest.mark.parametrize("make", [pages.realistic, pages.several_platforms, pages.withdrawn, pages.many, pages.hostile])
def test_it_is_valid_html(make: Callable[[], Page]) -> None:
    html5lib.HTMLParser(strict=True).parse(render(make()))
