"""A headless Chromium, and pages served to it from this machine."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from browser.selector import Selector
from variantkit import variants
from variantkit.index import Repository
from variantkit.matrix import read_matrix
from variantkit.selector import render
from variantkit.wheel import Entry, WheelName, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from variantkit.selector import Page

ROOT = Path(__file__).resolve().parents[2]

_AXE = "4.14.1"

_OPTIONS = """
    --headless --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
"""


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """The browser, started once."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert program, "chromium is missing; on Debian and Ubuntu: apt install chromium"
    assert driver, "chromedriver is missing; on Debian and Ubuntu: apt install chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in _OPTIONS.split():
        options.add_argument(option)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's sandbox does not start as root
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.set_script_timeout(60)
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser with an empty tab and without what earlier tests have emulated; what it logs must be nothing."""
    before = chromium.current_window_handle
    chromium.switch_to.new_window("tab")
    here = chromium.current_window_handle
    chromium.switch_to.window(before)
    chromium.close()
    chromium.switch_to.window(here)
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    for log in ("browser", "performance"):
        chromium.get_log(log)
    yield chromium
    assert chromium.get_log("browser") == []


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serve a page, or a folder, over HTTP on this machine."""
    with contextlib.ExitStack() as stack:

        def start(what: Page | Path, *, below: str = "") -> Served:
            folder = what if isinstance(what, Path) else write(what, tmp_path / "site" / below)
            served = Served(tmp_path / "site" if below else folder)
            stack.callback(served.stop)
            return served

        yield start


def write(page: Page, folder: Path) -> Path:
    """Write a page as a repository has it, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(render(page), encoding="utf-8")
    return folder


class Served:
    """A folder that is being served; `asked` is what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                asked.append(self.path)

        handler = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def open_page(browser: webdriver.Chrome, serve: Callable[..., Served]) -> Callable[..., Selector]:
    """Open a page in the browser; `fragment` comes after its address."""

    def opened(page: Page, fragment: str = "", **options: Any) -> Selector:
        address = serve(page, **options).address + options.get("below", "") + ("/" if options.get("below") else "")
        browser.get(address + fragment)
        return Selector(browser, address)

    return opened


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two releases that were published as all are, of wheels without anything to run in them."""
    folder = tmp_path_factory.mktemp("published") / "index"
    matrix = read_matrix(ROOT)
    document = variants.describe(matrix)
    project, base = matrix.project.distribution, "cp311-cp311-manylinux_2_17_x86_64"
    for version in ("1.0", "1.1"):
        names = [f"variantkit-{version}-py3-none-any", f"{project}-{version}-{base}"]
        for row in matrix.published("linux-x86_64"):
            if row.name != matrix.project.base:
                names.append(f"{project}_{row.label}-{version}-py3-none-manylinux_2_17_x86_64")
            if row.label in document["variants"]:
                names.append(f"{project}-{version}-{base}-{row.label}")
        made = [_wheel(folder.parent / version / f"{name}.whl", document) for name in names]
        Repository(folder).publish(made, matrix=matrix)
    return folder


def _wheel(path: Path, document: dict[str, Any]) -> Path:
    name = WheelName.parse(path.name)
    info = f"{name.distribution}-{name.version}.dist-info"
    requires = "" if name.project == "variantkit" else f"Requires-Dist: variantkit=={name.version}\n"
    entries = {
        f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name.project}\nVersion: {name.version}\n{requires}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nTag: {name.python}-{name.abi}-{name.platform}\n",
        f"{name.distribution}/__init__.py": f"# {'a good deal of code. ' * 500}\n",
    }
    if name.label:
        entries[f"{info}/variant.json"] = variants.dumps(variants.for_label(document, name.label))
    path.parent.mkdir(exist_ok=True)
    write_wheel(path, {key: Entry(data=text.encode()) for key, text in entries.items()}, info, (2026, 11, 24, 0, 0, 0))
    return path


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which looks for what keeps people out; npm brings it into build/."""
    folder = ROOT / "build" / "axe"
    package = folder / "node_modules" / "axe-core"
    description = package / "package.json"
    if not description.exists() or json.loads(description.read_text(encoding="utf-8"))["version"] != _AXE:
        npm = shutil.which("npm")
        assert npm, "npm is missing, which brings axe-core; on Debian and Ubuntu: apt install npm"
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--prefix", str(folder), "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run([npm, "install", *options, f"axe-core@{_AXE}"], check=True, capture_output=True)
    return (package / "axe.min.js").read_text(encoding="utf-8")
