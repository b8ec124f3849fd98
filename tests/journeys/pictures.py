"""Pictures of the pages for README and docs: `.venv/bin/python -m tests.journeys.pictures`.

Starts an instance of its own, fills it, photographs it, and takes it away again. With `--all
FOLDER` it takes every page, full and empty, in both themes at 1280 and 375, to be looked at.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.house.browser import chromium
from tests.house.environment import ROOT
from tests.house.instances import Instance, instance
from tests.journeys import steps

IMAGES = ROOT / "docs" / "images"
MARA, NOA, PASSWORD = "mara@orchard.example", "noa@orchard.example", "correct horse battery"
SIZES = {1280: 800, 375: 740}
# What README and docs show: page, width, theme.
SHOWN = (
    ("overview", 1280, "light"), ("overview", 375, "dark"), ("first-steps", 1280, "light"),
    ("list", 1280, "light"), ("subscribers", 1280, "light"), ("person", 1280, "dark"),
    ("write", 1280, "light"), ("preview", 1280, "light"), ("send", 1280, "light"),
    ("outcome", 1280, "light"), ("outcome", 375, "light"), ("outbox-mail", 1280, "light"),
    ("outbox", 1280, "dark"), ("sign-up", 375, "light"), ("confirm", 375, "light"),
    ("sign-in", 1280, "light"),
)  # fmt: skip


def main(everything: Path | None) -> None:
    """Takes the pictures that README and docs show, or all of them into `everything`."""
    with instance() as site, chromium() as browser:
        site.up()
        code = f"from tests.journeys.orchard import plant; plant({MARA!r}, {NOA!r}, {PASSWORD!r})"
        places = json.loads(site.run("shell", "-c", code).stdout.strip().splitlines()[-1])
        full, empty, anybody = _pages(browser, site, places)
        wanted = SHOWN
        if everything:
            full |= _spoilt(site, places["sent"])
            names = [*full, *empty, *anybody]
            wanted = tuple((n, w, t) for n in names for w in SIZES for t in ("light", "dark"))
        folder = everything or IMAGES
        folder.mkdir(parents=True, exist_ok=True)
        for paths, email in ((full, MARA), (empty, NOA), (anybody, "")):
            for width, theme in sorted({(width, theme) for _, width, theme in wanted}):
                page = _window(browser, site, width, theme, email)
                if email == MARA:
                    page.goto(full["outcome"])  # or the overview would still ask her to look
                for name in [n for n, w, t in wanted if n in paths and (w, t) == (width, theme)]:
                    _take(page, paths[name], folder / f"{name}-{width}-{theme}.png")
                page.context.close()


def _pages(
    browser: Browser, site: Instance, places: dict[str, str]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The path of every page by name: Mara's, Noa's, everybody's."""
    page = browser.new_context(base_url=site.url).new_page()
    steps.sign_in(page, MARA, PASSWORD)
    steps.open_mail(page, "confirm", "example.org")
    confirm = steps.path_of(steps.link_in_mail(page, "/confirm/").get_attribute("href") or "")
    page.goto(f"/messages/{places['sent']}/send")
    page.get_by_role("button", name="Send to").click()
    page.locator(".state", has_text="Sent").wait_for()
    steps.open_mail(page, "Blossom", "example.org")
    mail = steps.path_of(page.url)
    leave = steps.path_of(steps.link_in_mail(page, "/u/").get_attribute("href") or "")
    choose = steps.path_of(steps.link_in_mail(page, "/p/").get_attribute("href") or "")
    page.context.close()
    a_list, draft = f"/lists/{places['list']}", f"/messages/{places['draft']}"
    person, sent = f"/people/{places['person']}", f"/messages/{places['sent']}"
    full = {
        "overview": "/", "lists": "/lists", "list": a_list, "list-new": "/lists/new",
        "list-edit": f"{a_list}/edit", "subscribers": f"{a_list}/subscribers",
        "subscriber-new": f"{a_list}/subscribers/new", "person": person,
        "erase": f"{person}/erase", "messages": "/messages", "write": f"{draft}/edit",
        "preview": f"{draft}/preview", "send": f"{draft}/send", "outcome": sent,
        "deliveries": f"{sent}/deliveries", "outbox": "/outbox", "outbox-mail": mail,
        "outbox-headers": f"{mail}?view=headers", "outbox-source": f"{mail}?view=source",
        "suppressions": "/suppressions", "suppress": "/suppressions/new",
        "settings": "/settings", "members": "/settings/members", "tokens": "/settings/tokens",
    }  # fmt: skip
    empty = {
        "first-steps": "/", "no-lists": "/lists", "no-messages": "/messages",
        "no-outbox": "/outbox", "write-new": "/messages/new",
    }  # fmt: skip
    anybody = {
        "sign-in": "/sign-in", "forgot": "/forgot", "sign-up": f"/subscribe/{places['list']}",
        "confirm": confirm, "unsubscribe": leave, "preferences": choose,
        "gone": "/confirm/x", "not-found": "/nothing", "set-up-spent": "/setup/x",
    }  # fmt: skip
    return full, empty, anybody


def _spoilt(site: Instance, sent: str) -> dict[str, str]:
    """Pages of a day on which not all went well; the outcome is such a page from then on."""
    code = f"from tests.journeys.orchard import spoil; spoil({sent!r})"
    held = json.loads(site.run("shell", "-c", code).stdout.strip().splitlines()[-1])["held"]
    return {
        "in-doubt": f"/messages/{sent}/deliveries?state=unknown",
        "suppressed": f"/people/{held}",
    }


def _take(page: Page, path: str, picture: Path) -> None:
    page.goto(path, wait_until="networkidle")
    page.evaluate("document.activeElement?.blur?.()")
    page.screenshot(path=picture)


def _window(browser: Browser, site: Instance, width: int, theme: str, email: str) -> Page:
    page = browser.new_context(
        base_url=site.url,
        viewport={"width": width, "height": SIZES[width]},
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-GB",
    ).new_page()
    if email:
        steps.sign_in(page, email, PASSWORD)
    return page


if __name__ == "__main__":
    words = sys.argv[1:]
    main(Path(words[1]) if words[:1] == ["--all"] and words[1:] else None)
