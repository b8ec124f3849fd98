"""axe-core reads every page, wide and narrow, light and dark, and finds nothing (WCAG 2.2 AA)."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import places, steps
from tests.journeys.places import Places

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.once]
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"runOnly": {"type": "tag", "values": STANDARDS}, "resultTypes": ["violations"]}
# What depends on the colours and on the width; the rest is the same markup.
SEEN = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "target-size", "link-in-text-block"]},
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}
# Half a megabyte that each page reads once, not once for each of its three readings.
AXE = Axe().axe_script
VIOLATIONS = "options => axe.run(document, options).then(found => found.violations)"
PARTS_OF_FULL = 8
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 375, "height": 740}


@pytest.fixture(scope="module")
def all_places(live_site: Instance, browser: Browser) -> Places:
    """A workspace with something of everything, and an empty one."""
    return places.plant(live_site, browser, "axe.example")


# Parts of the groups, because a test may take five minutes and no more.
PARTS = [(0, part) for part in range(PARTS_OF_FULL)] + [(1, 0), (2, 0), (3, 0)]


@pytest.mark.parametrize(("group", "part"), PARTS)
def test_axe_finds_nothing(all_places: Places, pages: Pages, group: int, part: int):
    """Slow: three readings of each page."""
    email, paths = all_places.groups[group]
    page = pages()
    page.emulate_media(reduced_motion="reduce")
    if email:
        steps.sign_in(page, email, places.PASSWORD)
    wanted = list(paths.items())[part :: PARTS_OF_FULL if group == 0 else 1]
    found = [fault for name, path in wanted for fault in _read(page, name, path)]
    assert found == []


def test_axe_would_find_something(pages: Pages):
    """What finds nothing must be able to."""
    page = pages()
    page.goto("/sign-in")
    page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    page.evaluate(AXE)
    assert [fault["id"] for fault in page.evaluate(VIOLATIONS, EVERYTHING)] == ["image-alt"]


def test_every_page_of_members_is_among_them(all_places: Places):
    assert all_places.unknown == []
    assert len(all_places.full) > 25


def _read(page: Page, name: str, path: str) -> list[str]:
    """What is wrong with a page: wide in light, wide in dark, narrow in light."""
    found = []
    for size, scheme, rules in (
        (WIDE, "light", EVERYTHING),
        (WIDE, "dark", SEEN),
        (NARROW, "light", SEEN),
    ):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        if size == WIDE and scheme == "light":
            page.goto(path)
            page.evaluate(AXE)
        found += [
            f"{name} {size['width']} {scheme}: {fault['id']}: {node['html'][:160]}"
            f" ({'; '.join(node['failureSummary'].splitlines()[1:2])})"
            for fault in page.evaluate(VIOLATIONS, rules)
            for node in fault["nodes"][:3]
        ]
    return found
