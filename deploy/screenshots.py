"""Take the README's pictures of the running stack: `make screenshots`, while `make up` runs.

A headless Chromium looks at what anybody would see on these addresses; nothing is made up. The
pictures are palette PNGs, since they are looked at on a page and kept in git.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tinko_pipelines.local.ports import HOST, Ports

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
COLOURS = 256
MOST_BYTES = 400_000
PATIENCE_MS = 60_000
PAY_LINK = re.compile(r"https?://\S+/pay/\S+")


@dataclass(frozen=True)
class Picture:
    """One picture: its file, the size of the window in CSS pixels, and the way to what it shows."""

    name: str
    width: int
    height: int
    scale: float
    go: Callable[[Page, Ports], None]


def lineage(page: Page, ports: Ports) -> None:
    """Dagster's global asset lineage with every group open and the graph alone in the window."""
    page.goto(f"http://{HOST}:{ports.dagster}/asset-groups")
    page.get_by_text("Hide navigation").click()
    page.locator("[aria-label=panel_show_right]").first.click()
    # opened last, the graph is fitted into what the panels have left it
    page.mouse.click(1_000, 150, button="right")
    page.get_by_role("menuitem", name="Expand all groups").click()
    page.get_by_text("recovery_daily").first.wait_for()
    # it glides to its place, and asks for the assets' states once it is there
    page.wait_for_timeout(8_000)
    _settle(page)


def _settle(page: Page) -> None:
    """Return when the window has looked the same for four seconds, at the latest a minute later."""
    before = b""
    for _ in range(PATIENCE_MS // 4_000):
        now = page.screenshot(animations="disabled")
        if now == before:
            return
        before = now
        page.wait_for_timeout(4_000)


def overview(page: Page, ports: Ports) -> None:
    """`/`: money per currency, cases and attempts of the demo organisation."""
    page.goto(f"http://{HOST}:{ports.api}/")
    page.locator("table.cases tbody tr").first.wait_for()


def pay(page: Page, ports: Ports) -> None:
    """The page of the newest message to a payer whose debt can still be paid."""
    answer = httpx.get(f"http://{HOST}:{ports.mail}/api/messages", params={"after": 0})
    for message in reversed(answer.raise_for_status().json()):
        link = PAY_LINK.search(message["text"])
        if link is None:
            continue
        page.goto(link[0])
        if page.locator("form button").count():
            return
    raise SystemExit("screenshots: no payer has a payable link yet; let the stack run on a little")


ALL = (
    Picture("lineage", 2000, 860, 1.0, lineage),
    Picture("overview", 1200, 1000, 4 / 3, overview),
    Picture("pay", 480, 700, 1.5, pay),
)


def take(browser: Browser, picture: Picture, ports: Ports, folder: Path) -> Path:
    """Write one picture; returns its path. Raises playwright's Error when it cannot be had."""
    page = browser.new_page(
        viewport={"width": picture.width, "height": picture.height},
        device_scale_factor=picture.scale,
        locale="en-IN",
    )
    page.set_default_timeout(PATIENCE_MS)
    picture.go(page, ports)
    shot = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    page.close()
    path = folder / f"{picture.name}.png"
    shot.convert("RGB").quantize(
        COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    ).save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"screenshots: {path} has more than {MOST_BYTES} bytes")
    return path


def main() -> None:
    """Take all pictures, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(one.name for one in ALL))
    parser.add_argument("--to", type=Path, default=PICTURES, help="folder of the pictures")
    arguments = parser.parse_args()
    known = {one.name for one in ALL}
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"no picture {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise SystemExit("screenshots: no Chromium was found; run `make chromium`")
    arguments.to.mkdir(parents=True, exist_ok=True)
    ports = Ports.from_environment()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        for picture in ALL:
            if not arguments.names or picture.name in arguments.names:
                path = take(browser, picture, ports, arguments.to)
                sys.stdout.write(f"{path.name}: {path.stat().st_size // 1000} kB\n")
        browser.close()


if __name__ == "__main__":
    try:
        main()
    except (Error, httpx.HTTPError) as error:
        raise SystemExit(f"screenshots: is `make up` running? {error}") from None
