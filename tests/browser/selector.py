"""The selector page as someone in front of it sees and uses it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

__all__ = ["Selector"]


@dataclasses.dataclass
class Selector:
    """An open page that was served at `address`."""

    browser: WebDriver
    address: str

    @property
    def lines(self) -> str:
        return self.run("return document.querySelector('#lines').textContent")

    @property
    def index(self) -> str:
        """The address that the lines must have."""
        return f"{self.address}simple/"

    def run(self, script: str, *arguments: object) -> Any:
        return self.browser.execute_script(script, *arguments)

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def shown(self, selector: str) -> list[WebElement]:
        return [each for each in self.browser.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()]

    def options(self, group: str) -> dict[str, bool]:
        """Return what a group offers, and whether it can be chosen."""
        return {name: able for name, able, _ in self._offered(group)}

    def chosen(self, group: str) -> str:
        (name,) = [name for name, _, checked in self._offered(group) if checked]
        return name

    def choose(self, group: str, name: str) -> None:
        """Click on what a group offers under that name, as it is written there."""
        names = list(self.options(group))
        self.shown(f"label:has([name={group}])")[names.index(name)].click()
        assert self.chosen(group) == name

    def _offered(self, group: str) -> list[tuple[str, bool, bool]]:
        """Return the names of what is seen in a group, whether it can be chosen, and whether it is."""
        # The name is what is written there for versions, and what the choice stands for otherwise.
        return [
            tuple(each)
            for each in self.run(
                """
                return [...document.querySelectorAll(`[name="${arguments[0]}"]`)]
                  .filter((input) => input.checkVisibility())
                  .map((input) => [
                    input.name === "version" ? input.closest("label").querySelector(".mono").textContent
                      : input.dataset.name ?? input.value,
                    !input.disabled,
                    input.checked,
                  ]);
                """,
                group,
            )
        ]

    def press(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()

    @property
    def focused(self) -> WebElement:
        return self.browser.switch_to.active_element

    def emulate(self, **media: str) -> None:
        """Emulate media features, `prefers_color_scheme="dark"`."""
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def resize(self, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
