"""Draws favicon.ico and touch-icon.png from logo.svg: `.venv/bin/python -m tests.journeys.icons`.

They are committed: an instance needs no browser. Run it after the logo has changed.
"""

from __future__ import annotations

import struct
from pathlib import Path

from playwright.sync_api import Browser

from mailape import web
from tests.house.browser import chromium

IMAGES = Path(web.__file__).parent / "static" / "web" / "img"
PAPER = "#fbfaf7"


def main() -> None:
    """Writes both beside the logo."""
    with chromium() as browser:
        (IMAGES / "favicon.ico").write_bytes(ico([(n, drawn(browser, n, 0)) for n in (16, 32, 48)]))
        (IMAGES / "touch-icon.png").write_bytes(drawn(browser, 180, 22, PAPER))


def drawn(browser: Browser, size: int, margin: int, ground: str = "transparent") -> bytes:
    """The logo as a PNG of `size` pixels, with a margin on a ground."""
    page = browser.new_page(viewport={"width": size, "height": size})
    svg = (IMAGES / "logo.svg").read_text("utf-8")
    inner = size - 2 * margin
    page.set_content(
        f"<style>*{{margin:0}}body{{background:{ground};padding:{margin}px}}"
        f"svg{{display:block;width:{inner}px;height:{inner}px}}</style>{svg}"
    )
    picture = page.screenshot(omit_background=ground == "transparent")
    page.close()
    return picture


def ico(pictures: list[tuple[int, bytes]]) -> bytes:
    """PNGs in the container that browsers ask for at /favicon.ico."""
    head, body = struct.pack("<HHH", 0, 1, len(pictures)), b""
    at = len(head) + 16 * len(pictures)
    for size, picture in pictures:
        head += struct.pack("<BBBBHHII", size, size, 0, 0, 1, 32, len(picture), at + len(body))
        body += picture
    return head + body


if __name__ == "__main__":
    main()
