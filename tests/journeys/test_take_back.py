"""The ten seconds before a newsletter goes out, as they are for everybody who sets nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.house.browser import Pages
from tests.house.instances import Instance, instance
from tests.journeys import steps

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def site() -> Iterator[Instance]:
    """An instance of its own, which waits for the ten seconds."""
    with instance() as waiting:
        waiting.migrate()
        waiting.up()
        yield waiting


def ready(page: Page, site: Instance, name: str) -> None:
    """On the last look of a message to one reader of the list `name`."""
    steps.sign_in(page, *site.open_account())
    steps.make_list(page, name)
    steps.add_confirmed(page, "ida@example.org", "Ida")
    steps.write(page, f"News of {name}", "Hello [you](https://example.org/a)\n")
    page.get_by_role("button", name="Review and send").click()
    expect(page.get_by_role("heading", name="Who gets it")).to_be_visible()


def test_she_sends_takes_it_back_writes_on_and_sends(site: Instance, page: Page):
    ready(page, site, "Second thoughts")
    page.get_by_role("button", name="Send to 1 person on Second thoughts").click()
    seconds = page.locator("[data-seconds]")
    expect(seconds).to_be_visible()
    first = int(seconds.inner_text())
    expect(seconds).not_to_have_text(str(first))
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_contain_text("nothing was sent")
    page.get_by_label("Text", exact=True).fill("Hello again")
    page.get_by_role("button", name="Review and send").click()
    page.get_by_role("button", name="Send to 1 person").click()
    expect(page.locator(".state").first).to_have_text("Sent", timeout=40_000)
    steps.open_mail(page, "News of Second thoughts", "ida@example.org")
    expect(page.frame_locator("iframe").get_by_text("Hello again")).to_be_visible()


@pytest.mark.once
def test_what_she_took_back_is_said_also_where_the_page_sees_it_before_the_answer(
    site: Instance, page: Page
):
    ready(page, site, "Slow line")
    page.get_by_role("button", name="Send to 1 person on Slow line").click()
    expect(page.locator("[data-seconds]")).to_be_visible()

    def slowly(route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        time.sleep(3)  # the page looks twice meanwhile
        route.fulfill(response=answer)

    page.route("**/take-back", slowly)
    here = page.url
    loaded: list[str] = []
    page.on("request", lambda one: loaded.append(one.url) if one.is_navigation_request() else None)
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_contain_text("nothing was sent")
    assert here not in loaded  # by itself it would have loaded a page over the answer


@pytest.mark.once
def test_two_tabs_send_once_and_what_one_takes_back_the_other_sees(site: Instance, page: Page):
    ready(page, site, "Two tabs")
    other = page.context.new_page()
    other.goto(page.url)
    page.get_by_role("button", name="Send to 1 person on Two tabs").click()
    expect(page.locator("[data-seconds]")).to_be_visible()
    other.get_by_role("button", name="Send to 1 person on Two tabs").click()
    other.get_by_role("button", name="Take it back").click()
    # The first tab counts down, looks, and finds a draft again.
    for tab in (other, page):
        expect(tab.get_by_label("Text", exact=True)).to_be_visible()
    assert page.url == other.url


@pytest.mark.once
def test_without_javascript_she_takes_it_back_plans_it_and_takes_that_back(
    site: Instance, pages: Pages
):
    page = pages(javascript=False)
    ready(page, site, "No hurry")
    page.get_by_role("button", name="Send to 1 person").click()
    page.get_by_role("button", name="Take it back").click()
    page.get_by_role("button", name="Review and send").click()
    page.get_by_role("link", name="Send later").click()
    page.get_by_label("Time", exact=True).fill("07:15")
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.get_by_label("Date").fill("2020-01-01")
    page.get_by_role("button", name="Schedule for").click()
    expect(page.get_by_text("That time is over already")).to_be_visible()
    expect(page.get_by_label("Time", exact=True)).to_have_value("07:15")
    page.get_by_label("Date").fill(steps.in_days(3))
    page.get_by_role("button", name="Schedule for").click()
    expect(page.get_by_role("heading", name="Scheduled")).to_be_visible()
    expect(page.get_by_text("Europe/Berlin")).to_be_visible()
    page.get_by_role("button", name="Take it back and edit").click()
    expect(page.get_by_label("Text", exact=True)).to_be_visible()
