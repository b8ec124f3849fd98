"""Without a mouse: signing in, writing, sending, choosing people, menus, dialogs, the palette.

After every key something on the page has the focus: whoever cannot point is never thrown back to
the beginning.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]
LOST = "!document.activeElement || document.activeElement === document.body"
FAR = 90  # presses of Tab until what is looked for must have been reached


def press(page: Page, *keys: str) -> None:
    """Presses keys that stay on the page; after each something has the focus."""
    for key in keys:
        page.keyboard.press(key)
        assert not page.evaluate(LOST), f"the focus is lost after {key} on {page.url}"


def walk_to(page: Page, goal: Locator) -> None:
    """Tab until `goal` has the focus, and it can be seen that it has."""
    goal.wait_for()
    for _ in range(FAR):
        page.keyboard.press("Tab")
        if goal.evaluate("element => element === document.activeElement"):
            assert goal.evaluate("element => element.matches(':focus-visible')")
            return
    raise AssertionError(f"Tab does not lead to {goal} on {page.url}")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name)


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/sign-in")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type(email)
    press(page, "Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    steps.has_come(page)


def test_a_newsletter_is_written_and_sent_without_a_mouse(live_site: Instance, page: Page):
    account = live_site.open_account()
    live_site.plant("small_list", account[0])
    sign_in(page, *account)
    page.goto("/messages/new")
    subject = page.get_by_label("Subject", exact=True)
    walk_to(page, subject)
    page.keyboard.type("By keyboard")
    text = page.get_by_label("Text", exact=True)
    walk_to(page, text)
    page.keyboard.type("Hello ")
    menu = page.locator(".tag-menu summary")
    press(page, "Shift+Tab", "End")  # one stop for the toolbar, arrows within it
    expect(menu).to_be_focused()
    press(page, "Enter", "ArrowDown")
    expect(page.get_by_label("Where a name is missing, say")).to_be_focused()
    press(page, "Enter", "Enter")
    expect(text).to_be_focused()
    expect(text).to_have_value('Hello {{ subscriber.first_name | default: "there" }}')
    press(page, "Control+a", "Control+b")
    expect(text).to_have_value('**Hello {{ subscriber.first_name | default: "there" }}**')
    press(page, "Control+z")
    expect(page.locator("#saved[data-state=saved]")).to_be_visible()
    menu.focus()
    press(page, "Enter", "ArrowDown", "Escape")
    expect(menu).to_be_focused()

    walk_to(page, page.get_by_role("link", name="Send a test"))
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    press(page, "Tab", "Escape")
    expect(page.get_by_role("link", name="Send a test")).to_be_focused()

    walk_to(page, button(page, "Review and send"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Who gets it")).to_be_visible()
    walk_to(page, button(page, "Send to 3 people on Small letter"))
    page.keyboard.press("Enter")
    expect(page.locator(".state").first).to_have_text("Sent", timeout=40_000)
    expect(page.get_by_text("3 of 3")).to_be_visible()


def test_people_are_found_chosen_taken_off_and_put_back(live_site: Instance, page: Page):
    account = live_site.open_account()
    places = live_site.plant("small_list", account[0])
    sign_in(page, *account)
    page.goto(f"/lists/{places['list']}/subscribers")
    search = page.get_by_role("searchbox")
    walk_to(page, search)
    page.keyboard.type("amber")
    expect(page.get_by_role("link", name="cleo@else.example")).to_be_hidden()
    expect(search).to_be_focused()
    walk_to(page, page.get_by_role("checkbox", name="Choose ida@example.org"))
    press(page, "Space")
    expect(page.get_by_text("1 chosen")).to_be_visible()
    walk_to(page, page.get_by_role("button", name="Take off this list", exact=True).last)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 person is off “Small letter”.")
    walk_to(page, button(page, "Undo"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Taken back")

    unfold = page.locator("summary", has_text="Columns")
    walk_to(page, unfold)
    press(page, "Enter", "Tab")
    expect(page.get_by_role("checkbox", name="Name")).to_be_focused()
    press(page, "Escape")


def test_menu_and_palette_open_close_and_give_the_focus_back(live_site: Instance, page: Page):
    sign_in(page, *live_site.open_account())
    menu = page.locator(".shell-side details.who summary")
    walk_to(page, menu)
    press(page, "Enter", "ArrowDown")
    expect(page.get_by_role("link", name="Your account")).to_be_focused()
    press(page, "Escape")
    expect(menu).to_be_focused()
    press(page, "Control+k")
    expect(page.locator("#palette-q")).to_be_focused()
    expect(page.locator("#palette a").nth(1)).to_be_visible()
    press(page, "Tab", "Tab", "Escape")
    expect(menu).to_be_focused()
    press(page, "Control+k")
    page.keyboard.type("make a l")
    expect(page.locator("#palette a")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()


MARK = "document.addEventListener('focusin', event => (event.target.dataset.reached = ''))"
MISSED = """() => [
    ...document.querySelectorAll('a[href], button, input, select, textarea, summary')
  ].filter(it => it.checkVisibility() && !it.disabled && it.type !== 'radio')
  .filter(it => it.tabIndex >= 0 && !('reached' in it.dataset)).map(it => it.outerHTML)"""


def test_tab_reaches_everything_on_the_pages_that_are_looked_at(live_site: Instance, page: Page):
    account = live_site.open_account()
    message = live_site.plant("refused", account[0])["message"]
    people = live_site.plant("small_list", account[0])["list"]
    sign_in(page, *account)
    for path in (
        "/", f"/messages/{message}", f"/messages/{message}/deliveries", f"/lists/{people}",
        "/settings", "/settings/members", "/settings/tokens", "/account", f"/subscribe/{people}",
    ):  # fmt: skip
        page.goto(path)
        page.evaluate(MARK)
        ends = 0  # of the page: the first may come after a field that had the focus from the start
        for _ in range(3 * FAR):
            page.keyboard.press("Tab")
            ends += page.evaluate(LOST)
            if ends == 2:
                break
        assert page.evaluate(MISSED) == [], path
