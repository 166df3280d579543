"""Headless Chromium as the tests of the page use it."""

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    # A camera that shows a test picture.
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)

# What can be read on the page with a contrast below that of WCAG 2.2, 1.4.3: text, ratio.
COLOURS_BELOW_CONTRAST = """
const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
function rgba(colour) {
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}
function over([r, g, b, a], below) {
  return [r, g, b].map((value, place) => value * a + below[place] * (1 - a));
}
function ground(element) {
  if (!element) return [255, 255, 255];
  const own = rgba(getComputedStyle(element).backgroundColor);
  return own[3] === 1 ? own.slice(0, 3) : over(own, ground(element.parentElement));
}
function luminance(colour) {
  const [r, g, b] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const faint = [];
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
  if (!own.length || element.closest('svg, noscript, .drop, .unseen, [aria-disabled=true]')) continue;
  if (!element.checkVisibility({ visibilityProperty: true })) continue;
  const style = getComputedStyle(element);
  const below = ground(element);
  const levels = [luminance(over(rgba(style.color), below)), luminance(below)].sort((a, b) => b - a);
  const ratio = (levels[0] + 0.05) / (levels[1] + 0.05);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) faint.push([own[0].data.trim(), ratio]);
}
return faint;
"""

_NAME_OF_FOCUS = """
const at = document.activeElement;
if (at === document.body) return null;
const label = at.labels?.[0];
const name = at.getAttribute('aria-label') ?? (label ?? at).textContent.trim();
const { outlineStyle, outlineWidth } = getComputedStyle(label?.querySelector('span') ?? at);
return name + (outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2 ? '' : ' (unseen)');
"""


def missing_chromium() -> str | None:
    """Why there is no browser; `None` where there is one."""
    names = ("chromium", "chromedriver")
    missing = [name for name in names if shutil.which(name) is None]
    return f"no {' and no '.join(missing)} on this machine" if missing else None


class PageBrowser:
    """Chromium with the page in it.

    Args:
        driver: Selenium's.
        downloads: The folder for what the page has downloaded.
    """

    def __init__(self, driver: webdriver.Chrome, downloads: Path):
        self.driver = driver
        self._downloads = downloads
        self._tell("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        self._tell("Network.enable")

    def open(self, address: str) -> None:
        """Load the page anew."""
        rights = ["clipboardReadWrite", "clipboardSanitizedWrite", "videoCapture"]
        self._tell("Browser.grantPermissions", origin=address, permissions=rights)
        self.driver.get(f"{address}/")
        self._wait(lambda: self.text("#limits"))

    def resize(self, width: int, height: int, *, is_phone: bool = False) -> None:
        """Of the window; a phone has a touch screen."""
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone},
        )

    def media(self, **features: str) -> None:
        """What the user prefers; "prefers-color-scheme" is light without a word."""
        features = {"prefers-color-scheme": "light", "prefers-reduced-motion": "no-preference", **features}
        told = [{"name": name, "value": value} for name, value in features.items()]
        self._tell("Emulation.setEmulatedMedia", features=told)

    def offline(self, is_offline: bool) -> None:
        """Cut off the network, or bring it back."""
        self._tell(
            "Network.emulateNetworkConditions",
            **{"offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
        )

    def choose(self, path: Path) -> None:
        """Choose a file, as in the dialog that Chromium cannot show here."""
        self.one("#file").send_keys(str(path))

    def give(self, content: bytes, name: str, way: str) -> None:
        """Drop a file on the page, or paste it."""
        self.run(
            """const [encoded, name, way] = arguments;
            const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], name, { type: "image/jpeg" }));
            const how = { bubbles: true, cancelable: true };
            const paste = () => new ClipboardEvent("paste", { ...how, clipboardData: data });
            const drop = () => new DragEvent("drop", { ...how, dataTransfer: data });
            document.body.dispatchEvent({ paste, drop }[way]());""",
            *(base64.b64encode(content).decode(), name, way),
        )

    def wait_for(self, state: str, seconds: float = 20) -> None:
        """Wait until the page is in a state, as `enter` in page.js has it."""
        self._wait(lambda: self.run("return document.body.dataset.state") == state, seconds)

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until the first element has a text."""
        self._wait(lambda: self.text(selector) == text)

    def wait_until(self, script: str) -> None:
        """Wait until a script says so."""
        self._wait(lambda: self.run(script))

    def _wait(self, is_so, seconds: float = 20) -> None:
        # Asking is work for three processes: not too often.
        WebDriverWait(self.driver, seconds, poll_frequency=0.03).until(lambda driver: is_so())

    def one(self, selector: str):
        """The first element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list:
        """All elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The text of the first element, shown or not."""
        return self.one(selector).get_property("textContent")

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements."""
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector
        )

    def rectangle(self, selector: str) -> dict[str, float]:
        """Where the first element lies in the window."""
        return self.run(
            "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", selector
        )

    def run(self, script: str, *arguments):
        """The value of a script."""
        return self.driver.execute_script(script, *arguments)

    def press(self, key: str) -> None:
        """Press a key."""
        ActionChains(self.driver).send_keys(key).perform()

    def tab_order(self) -> list[str]:
        """The names of what the Tab key comes to, from the top of the page to its end.

        What does not show that it has the focus is told as "NAME (unseen)".
        """
        self.run("document.activeElement?.blur(); getSelection().collapse(document.body, 0)")
        names: list[str] = []
        while len(names) < 50:
            self.press(Keys.TAB)
            name = self.run(_NAME_OF_FOCUS)
            if name is None:
                break
            names.append(name)
        return names

    def accessibility_tree(self) -> list[dict[str, str]]:
        """What a screen reader is told: role and name of everything."""
        nodes = self._tell("Accessibility.getFullAXTree")["nodes"]
        told = [node for node in nodes if not node.get("ignored")]
        return [{key: str(node.get(key, {}).get("value", "")) for key in ("role", "name")} for node in told]

    def clipboard(self) -> str:
        """What has been copied."""
        return self.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")

    def download(self, name: str) -> bytes:
        """The content of a file that the page gave; waits for it."""
        path = self._downloads / name
        self._wait(path.exists)
        return path.read_bytes()

    def screenshot(self, path: Path) -> Path:
        """What is to be seen, as a PNG file."""
        self.driver.save_screenshot(str(path))
        return path

    def _tell(self, command: str, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)


@contextmanager
def chromium(folder: Path) -> Iterator[PageBrowser]:
    """Start Chromium.

    Args:
        folder: An empty one, for its profile and for downloads.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in (*_OPTIONS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Not through a proxy, and no search for drivers.
    service = Service(shutil.which("chromedriver"), env={**os.environ, "NO_PROXY": "*"})
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield PageBrowser(driver, folder)
    finally:
        driver.quit()
