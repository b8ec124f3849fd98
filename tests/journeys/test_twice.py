"""What the pages' scripts guard: second clicks, a stop by hand, a focus that is not thrown away.

An answer is held back until everything was done that somebody does who does not wait for it.
"""

from __future__ import annotations

import base64
import re

import pytest
from playwright.sync_api import Page, Route, expect

from mailape.campaigns.tests.test_pictures import png
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]

ONE, OTHER = png("red"), png("blue")
LEFT_AND_CHOSEN = """pictures => {
  const clip = new DataTransfer();
  for (const data of pictures) {
    const octets = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    clip.items.add(new File([octets], "a.png", { type: "image/png" }));
  }
  const file = document.getElementById("file");
  document.getElementById("picture").close();
  file.files = clip.files;
  file.dispatchEvent(new Event("change"));
}"""

# While a page is on its way nothing can be asked of the old one, but it hears keys: F9 is 19 s.
LATER = """
  const now = Date.now;
  let later = 0;
  Date.now = () => now() + later;
  addEventListener("keydown", (event) => { if (event.key === "F9") later += 19000; });
"""


def held_back(page: Page, pattern: str, method: str = "POST") -> list[Route]:
    """The requests of this kind, each as it comes; nobody answers them."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route) if route.request.method == method else route.continue_()

    page.route(pattern, hold)
    return held


def until(page: Page, held: list[Route], number: int) -> None:
    """Waits until so many requests have come."""
    for _ in range(100):
        if len(held) >= number:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(held)} requests, not {number}")


def is_alone(page: Page, held: list[Route], else_said: str) -> None:
    """Gives a second request the time to come; there must be none."""
    page.wait_for_timeout(200)
    assert len(held) == 1, else_said


def test_a_form_goes_once_and_again_when_it_was_stopped(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    page.add_init_script(LATER)
    page.goto("/lists/new")
    held = held_back(page, "**/lists/new")
    page.get_by_label("Name", exact=True).fill("Once")
    box = page.get_by_role("button", name="Make the list").bounding_box()
    assert box

    def click(times: int = 1) -> None:
        # A locator's own click would wait for the page that does not come.
        page.mouse.click(box["x"] + 5, box["y"] + 5, click_count=times)

    click()
    until(page, held, 1)
    click(times=2)
    page.keyboard.press("F9")
    click()
    is_alone(page, held, "a second click while the first is under way")
    page.keyboard.press("Escape")  # as somebody stops a page that does not come
    click()
    until(page, held, 2)
    click()
    page.keyboard.press("F9")
    page.keyboard.press("F9")  # more than twenty seconds: stopped with a mouse, perhaps
    click()
    until(page, held, 3)
    held[-1].continue_()
    expect(page.get_by_role("heading", name="Once", level=1)).to_be_visible()
    page.goto("/lists")
    expect(page.get_by_role("link", name="Once", exact=True)).to_have_count(1)


def test_a_test_mail_goes_once_and_a_dialog_opens_once(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    steps.write(page, "Twice", "Hello")
    page.get_by_role("link", name="Send a test").click()
    held = held_back(page, "**/messages/*/test")
    button = page.get_by_role("button", name="Send the test")
    button.dblclick()
    until(page, held, 1)
    button.click()
    is_alone(page, held, "a second click would mail it twice")
    held[0].continue_()
    expect(page.locator("#try-said")).to_contain_text("@")
    button.click()  # once more, with a will
    until(page, held, 2)
    held[1].continue_()
    page.keyboard.press("Escape")

    page.goto("/design")
    asked = held_back(page, "**/design/ask*", "GET")
    link = page.get_by_role("link", name="A dialog from its page")
    link.click()
    until(page, asked, 1)
    link.dblclick()
    is_alone(page, asked, "a second dialog")
    asked[0].continue_()
    expect(page.locator("dialog[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.unroute("**/design/ask*")
    link.click()
    expect(page.locator("dialog[open]")).to_have_count(1)


def test_what_is_renewed_keeps_the_focus_and_a_toast_stays_under_it(
    live_site: Instance, page: Page
):
    email, password = live_site.open_account()
    draft = live_site.plant("long_list", email)["message"]
    steps.sign_in(page, email, password)
    page.goto(f"/messages/{draft}/later")
    page.get_by_label("Date").fill(steps.in_days(3))
    page.get_by_role("button", name="Schedule for").click()
    expect(page.get_by_role("heading", name="Scheduled")).to_be_visible()
    page.clock.install()
    page.goto("/settings")
    page.get_by_role("button", name="Save").first.click()
    toast = page.locator("[data-toast]")
    close = toast.locator("[data-toast-close]")
    close.focus()
    page.clock.fast_forward(11_000)
    expect(close).to_be_focused()
    close.blur()
    page.clock.fast_forward(11_000)
    expect(toast).to_have_count(0)

    page.goto("/")
    watched = page.locator("[data-live]")
    region, said = watched.inner_html(), "<p>It goes on.</p>"
    page.route(
        "**/overview/now*",
        lambda route: route.fulfill(body=said + region, content_type="text/html"),
    )
    link = watched.get_by_role("link", name="Slowly")
    link.focus()
    page.clock.fast_forward(2_000)
    expect(watched.get_by_text("It goes on.")).to_be_visible()
    expect(link).to_be_focused()


def test_enter_waits_for_the_answer_to_what_was_typed(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    page.keyboard.press("Control+k")
    expect(page.locator("#palette a").nth(1)).to_be_visible()
    held = held_back(page, "**/go?*", "GET")
    page.keyboard.type("make a l")
    page.keyboard.press("Enter")
    until(page, held, 1)
    assert page.url.endswith("/"), "the first of the old links was taken"
    for _ in range(100):
        for route in held:
            route.continue_()
        held.clear()
        if page.url.endswith("/lists/new"):
            break
        page.wait_for_timeout(50)
    expect(page.get_by_role("heading", name="New list")).to_be_visible()


def test_what_is_typed_before_the_scripts_have_come_is_kept(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    held = held_back(page, "**/start*.js", "GET")
    page.goto("/messages/new", wait_until="commit")
    page.get_by_label("Subject", exact=True).fill("Early bird")
    until(page, held, 1)
    held[0].continue_()
    expect(page.locator("#saved[data-state=saved]")).to_be_visible()

    steps.make_list(page, "Early letter")
    path = steps.path_of(page.url)
    held = held_back(page, "**/page*.js", "GET")
    page.goto(f"{path}/wording", wait_until="commit")
    page.locator("textarea[name=thanks]").fill("See you on Sunday.")
    until(page, held, 1)
    held[0].continue_()
    steps.has_come(page)
    asked = steps.asked_on_leaving(page)
    expect(page.locator("textarea[name=thanks]")).to_have_value("See you on Sunday.")
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Saved")


def test_an_image_known_before_offers_its_words_and_goes_into_the_text_once(
    live_site: Instance, page: Page
):
    steps.sign_in(page, *live_site.open_account())
    page.goto("/messages/new")
    alt = page.get_by_label("What does it show?")
    put = page.get_by_role("button", name="Put it into the text")

    def choose() -> None:
        chosen = {"name": "a.png", "mimeType": "image/png", "buffer": ONE}
        page.locator("#file").set_input_files([chosen])
        expect(alt).to_be_focused()

    choose()
    alt.fill("An apple")
    described = held_back(page, "**/images/*/describe")
    put.click()
    until(page, described, 1)
    put.click()
    is_alone(page, described, "a second click while it is described")
    described[0].continue_()
    text = page.get_by_label("Text", exact=True)
    once = re.compile(r"^!\[An apple\]\(http://\S+\)\s*$")
    expect(text).to_have_value(once)

    # Its words are known now and come late: whoever types just then replaces them.
    uploads = held_back(page, "**/images")
    choose()
    until(page, uploads, 1)
    uploads[0].continue_()
    expect(alt).to_have_value("An apple")
    page.keyboard.type("A pear")
    expect(alt).to_have_value("A pear")

    # Left, and two more in the same moment: one after the other, and none is passed over.
    page.evaluate(LEFT_AND_CHOSEN, [base64.b64encode(one).decode() for one in (ONE, OTHER)])
    until(page, uploads, 2)
    page.wait_for_timeout(200)
    assert len(uploads) == 2, "the second before the first was put or left"
    expect(alt).to_be_focused()
    # The answer for an image that was left says nothing of the next one.
    page.keyboard.press("Escape")
    until(page, uploads, 3)
    uploads[1].continue_()
    page.wait_for_timeout(500)
    expect(alt).to_have_value("")
    uploads[2].continue_()
    expect(page.locator("#picture-said")).to_contain_text("pixels")
    expect(alt).to_have_value("")
    page.keyboard.press("Escape")
    expect(text).to_have_value(once)
