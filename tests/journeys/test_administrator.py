"""The administrator of an instance sees that a worker has stopped; nobody else sees anything."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.processes, pytest.mark.once]


@pytest.fixture
def site(processes: Callable[..., Instance]) -> Instance:
    instance = processes()
    instance.migrate()
    return instance


def test_a_worker_that_stops_is_seen_without_a_reload(site: Instance, pages: Pages):
    admin = site.open_account("admin@example.org", admin=True)
    site.start("web")
    site.start("beat")
    worker = site.start("worker")
    site.wait_ready()
    page = pages()
    steps.sign_in(page, *admin)
    page.get_by_role("link", name="System").click()
    expect(page.get_by_text("Everything that should run is running.")).to_be_visible(timeout=20_000)
    os.kill(worker.pid, signal.SIGKILL)
    row = page.get_by_role("row").filter(has=page.get_by_text("worker", exact=True))
    expect(row).to_contain_text("silent", timeout=40_000)
    expect(page.get_by_text("No worker serves the queues bulk, send, wake")).to_be_visible()

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()

    page.get_by_role("link", name="Instance", exact=True).click()
    page.get_by_role("button", name="Switch it on").click()
    page.get_by_role("link", name="/status").click()
    expect(page.get_by_role("heading", name="Something does not work")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Background work")).to_contain_text(
        "does not work"
    )


def test_who_is_no_administrator_finds_nothing_there(live_site: Instance, page):
    steps.sign_in(page, *live_site.open_account())
    expect(page.get_by_role("link", name="System")).to_have_count(0)
    for path in ("/system", "/system/log", "/system/failures", "/system/instance"):
        answer = page.goto(path)
        assert answer.status == 404


def test_what_failed_is_rung_again_the_log_is_filtered_and_a_limit_is_set(
    live_site: Instance, page: Page
):
    live_site.plant("failed_task", "admin@example.org")
    steps.sign_in(page, "admin@example.org", "correct horse battery")
    page.goto("/system/failures")
    row = page.get_by_role("listitem").filter(has_text="No space left on device").first
    row.get_by_text("Trace", exact=True).click()
    expect(row.get_by_text("in build_next")).to_be_visible()
    row.get_by_role("button", name="Ring again").click()
    expect(page.get_by_role("status")).to_be_visible()

    page.get_by_role("link", name="Log", exact=True).click()
    page.get_by_role("searchbox").fill("ready")
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator(".log li").first).to_contain_text("ready")
    page.get_by_role("searchbox").fill("nothing that was ever logged")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_text("Nothing in the end of the log fits.")).to_be_visible()

    page.get_by_role("link", name="Sending limits").click()
    page.get_by_role("textbox", name="Domain").fill("slow.example")
    page.get_by_label("Mails per hour").last.fill("100")
    page.get_by_role("button", name="Set the limit").click()
    row = page.get_by_role("row").filter(has_text="slow.example")
    expect(row).to_contain_text("100")
    row.get_by_role("button", name="Remove slow.example").click()
    expect(page.get_by_role("row").filter(has_text="slow.example")).to_have_count(0)
