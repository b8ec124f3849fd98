"""Pictures of every page for README and docs: `make pictures`, or one by one to be looked at:

    .venv/bin/python -m tests.journeys.pictures [--all FOLDER] [--only NAME,NAME]

Starts an instance of its own, fills it, photographs every page full and empty, at 1280 and 375, in
both themes, and takes it away again. Into docs/images go the few that README and docs show, and for
each page one sheet with all four of it; docs/pages.md shows the sheets. FOLDER gets every picture
in full length. With `--only` nothing is written into docs.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import tempfile
from pathlib import Path

import django
from playwright.sync_api import Browser, Page

from tests.house.browser import chromium
from tests.house.environment import ROOT
from tests.house.instances import Instance, instance

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")
django.setup()  # the pages are found by their routes

from tests.journeys import places, steps  # noqa: E402
from tests.journeys.places import Places  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SHEETS = IMAGES / "pages"
SIZES = {1280: 800, 375: 740}
THEMES = ("light", "dark")
# What README and docs show on their own: page, width, theme.
SHOWN = (
    ("overview", 1280, "light"), ("overview", 375, "dark"), ("first-steps", 1280, "light"),
    ("list", 1280, "light"), ("subscribers", 1280, "light"), ("person", 1280, "dark"),
    ("write", 1280, "light"), ("preview", 1280, "light"), ("send", 1280, "light"),
    ("outcome", 1280, "light"), ("outcome", 375, "light"), ("outbox-mail", 1280, "light"),
    ("outbox", 1280, "dark"), ("sign-up", 375, "light"), ("confirm", 375, "light"),
    ("sign-in", 1280, "light"),
)  # fmt: skip
HEADS = ("With something on them", "With nothing yet", "For the administrator", "For everybody")
QUALITY = 0.72
LONGEST = 2400  # pixels of a page on a sheet, before it is made smaller


def main(folder: Path, only: set[str]) -> None:
    """Takes the pictures into `folder`; of all pages also what docs show."""
    with instance() as site, chromium() as browser:
        site.up()
        found = places.plant(site, browser)
        found.full |= _spoilt(site, found.full["outcome"].rsplit("/", 1)[-1])
        if found.unknown:
            print("not found, so not photographed:", *found.unknown, file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        for email, paths in found.groups:
            wanted = {name: path for name, path in paths.items() if not only or name in only}
            _photograph(browser, site, email, wanted, folder)
        if not only:
            _show(browser, folder)
            _sheets(browser, folder, found)


def _spoilt(site: Instance, sent: str) -> dict[str, str]:
    """Pages of a day on which not all went well."""
    code = f"from tests.journeys.orchard import spoil; spoil({sent!r})"
    held = json.loads(site.run("shell", "-c", code).stdout.strip().splitlines()[-1])["held"]
    return {
        "in-doubt": f"/messages/{sent}/deliveries?state=unknown",
        "suppressed": f"/people/{held}",
    }


def _photograph(
    browser: Browser, site: Instance, email: str, paths: dict[str, str], folder: Path
) -> None:
    for width in SIZES:
        page = _window(browser, site, width, email)
        for name, path in paths.items():
            page.goto(path, wait_until="networkidle")
            page.evaluate("document.activeElement?.blur?.()")
            for theme in THEMES:
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                stem = folder / f"{name}-{width}-{theme}"
                if (name, width, theme) in SHOWN:
                    page.screenshot(path=stem.with_suffix(".shown.png"))
                _whole(page, width, stem.with_suffix(".png"))
        page.context.close()


def _whole(page: Page, width: int, picture: Path) -> None:
    """In a window as high as the page, so that what sticks to its lower edge is where it ends."""
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": max(SIZES[width], height)})
    page.screenshot(path=picture)
    page.set_viewport_size({"width": width, "height": SIZES[width]})


def _window(browser: Browser, site: Instance, width: int, email: str) -> Page:
    page = browser.new_context(
        base_url=site.url,
        viewport={"width": width, "height": SIZES[width]},
        is_mobile=width < 600,
        locale="en-GB",
    ).new_page()
    if email:
        steps.sign_in(page, email, places.PASSWORD)
    return page


def _show(browser: Browser, folder: Path) -> None:
    """The pictures that README and docs show, each in full size."""
    for name, width, theme in SHOWN:
        taken = folder / f"{name}-{width}-{theme}.shown.png"
        (IMAGES / f"{name}-{width}-{theme}.png").write_bytes(taken.read_bytes())


# Draws the four pictures of a page side by side, wide ones at a third, narrow ones at two fifths.
_DRAW = """async ([pictures, longest, quality]) => {
  const load = async (text) => {
    const image = new Image();
    image.src = "data:image/png;base64," + text;
    await image.decode();
    return image;
  };
  const images = await Promise.all(pictures.map(load));
  const scales = [0.36, 0.36, 0.42, 0.42], gap = 12;
  const sizes = images.map((it, n) =>
    [it.width * scales[n], Math.min(it.height, n < 2 ? longest / 1.6 : longest) * scales[n]]);
  const sheet = document.createElement("canvas");
  sheet.width = sizes.reduce((sum, [w]) => sum + w + gap, gap);
  sheet.height = Math.max(...sizes.map(([, h]) => h)) + 2 * gap;
  const pen = sheet.getContext("2d");
  pen.fillStyle = "#b8b4aa";
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.imageSmoothingQuality = "high";
  let left = gap;
  images.forEach((image, n) => {
    const [width, height] = sizes[n];
    pen.drawImage(image, 0, 0, image.width, height / scales[n], left, gap, width, height);
    left += width + gap;
  });
  return sheet.toDataURL("image/webp", quality).split(",")[1];
}"""


def _sheets(browser: Browser, folder: Path, found: Places) -> None:
    """One sheet for each page, and the document that shows them."""
    SHEETS.mkdir(parents=True, exist_ok=True)
    for old in SHEETS.glob("*.webp"):
        old.unlink()
    page = browser.new_page()
    text = [
        "# Every page\n",
        "Each at 1280 and 375, in the light and in the dark, made by `make pictures`.\n",
    ]
    for head, (_email, paths) in zip(HEADS, found.groups, strict=True):
        text.append(f"## {head}\n")
        for name in paths:
            taken = [folder / f"{name}-{width}-{theme}.png" for width in SIZES for theme in THEMES]
            pictures = [base64.b64encode(one.read_bytes()).decode() for one in taken]
            drawn = page.evaluate(_DRAW, [pictures, LONGEST, QUALITY])
            (SHEETS / f"{name}.webp").write_bytes(base64.b64decode(drawn))
            said = name.replace("-", " ").capitalize()
            text.append(f"### {said}\n![{said}](images/pages/{name}.webp)\n")
    (ROOT / "docs" / "pages.md").write_text("\n".join(text), "utf-8")


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--all", type=Path)
    asked.add_argument("--only", type=lambda names: set(names.split(",")), default=set())
    words = asked.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(words.all or Path(temporary), words.only)
