"""Writing: the toolbar, saving while one types, two tabs at once, offline, images, no script."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from mailape.web.tests.worlds import PNG
from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]

BRING = """([deed, kind, data]) => {
  const clip = new DataTransfer();
  if (kind === 'image') {
    const octets = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    clip.items.add(new File([octets], 'apple.png', { type: 'image/png' }));
  } else clip.setData(kind, data);
  const about = { clipboardData: clip, dataTransfer: clip, bubbles: true, cancelable: true };
  const event = deed === 'paste' ? new ClipboardEvent(deed, about) : new DragEvent(deed, about);
  document.querySelector('#body').dispatchEvent(event);
}"""


def paste(page: Page, kind: str, data: str) -> None:
    page.evaluate(BRING, ["paste", kind, data])


def drop(page: Page, kind: str, data: str) -> None:
    for deed in ("dragenter", "dragover", "drop"):
        page.evaluate(BRING, [deed, kind, data])


def text_of(page: Page):
    return page.get_by_label("Text", exact=True)


def saved(page: Page):
    return page.locator("#saved[data-state=saved]")


def typed_and_taken_back(field: Locator, letter: str) -> None:
    """Within the second after which the page saves itself, however slow the machine is."""
    field.focus()
    field.evaluate(
        "(field, letter) => {"
        " document.execCommand('insertText', false, letter); document.execCommand('delete'); }",
        letter,
    )


def test_writing_with_toolbar_and_keys_saves_itself_and_is_there_on_return(
    live_site: Instance, page: Page
):
    steps.sign_in(page, *live_site.open_account())
    page.goto("/messages/new")
    page.get_by_label("Subject", exact=True).fill("Apples")
    text = text_of(page)
    text.press_sequentially("ripe")
    text.press("Control+a")
    page.get_by_role("button", name="Bold").click()
    expect(text).to_have_value("**ripe**")
    expect(text).to_be_focused()
    text.press("Control+z")
    expect(text).to_have_value("ripe")
    text.press("End")
    page.keyboard.type("\n\n- one\ntwo\n\nHello ")
    expect(text).to_have_value("ripe\n\n- one\n- two\nHello ")
    page.locator(".tag-menu summary").click()
    page.get_by_role("button", name="First name").click()
    expect(text).to_have_value(
        'ripe\n\n- one\n- two\nHello {{ subscriber.first_name | default: "there" }}'
    )
    expect(saved(page)).to_contain_text("Saved")
    expect(page).to_have_url(page.url.replace("/new", "/edit"))
    assert page.url.endswith("/edit")
    page.get_by_role("link", name="Messages", exact=True).first.click()
    page.get_by_role("link", name="Apples").click()
    expect(text_of(page)).to_have_value(
        'ripe\n\n- one\n- two\nHello {{ subscriber.first_name | default: "there" }}'
    )
    frame = page.frame_locator("#frames iframe:not(.next)")
    expect(frame.get_by_text("Hello Ann")).to_be_visible()


def test_words_taken_back_to_the_saved_ones_are_said_to_be_saved(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    page.goto("/messages/new")
    said = page.locator("#saved")
    subject = page.get_by_label("Subject", exact=True)
    typed_and_taken_back(subject, "A")
    expect(said).to_have_text("")
    subject.fill("Apples")
    expect(saved(page)).to_be_visible()
    expect(page.get_by_role("heading", name="Draft", level=1)).to_be_visible()
    expect(page).to_have_title("Apples · MailApe")
    at = said.get_by_role("time").text_content()
    typed_and_taken_back(text_of(page), "x")
    expect(saved(page)).to_contain_text(at or "a time")


def test_words_saved_without_an_answer_are_taken_back_on_the_server_too(
    live_site: Instance, pages: Pages
):
    page = pages()
    steps.sign_in(page, *live_site.open_account())
    steps.write(page, "Prices", "Ten a pound")

    def heard_only(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/autosave", heard_only, times=1)
    text_of(page).fill("Two a pound")
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    text_of(page).fill("Ten a pound")
    expect(saved(page)).to_be_visible()
    page.reload()
    expect(text_of(page)).to_have_value("Ten a pound")
    # The lost answer is what this is about.
    pages.faults = [fault for fault in pages.faults if "net::ERR_" not in fault]


def two_at_once(site: Instance, page: Page) -> Page:
    """Writes in two tabs: the other one saved first, and this one shows it. Returns the other."""
    steps.sign_in(page, *site.open_account())
    steps.write(page, "One draft", "First line\n\nLast line")
    other = page.context.new_page()
    other.goto(page.url)
    text_of(other).fill("Their first line\n\nLast line")
    expect(saved(other)).to_be_visible()
    text_of(page).fill("First line\n\nMy last line")
    expect(page.get_by_role("heading", name="Somebody else saved")).to_be_visible()
    return other


def test_two_tabs_at_once_show_the_conflict_and_lose_nothing(live_site: Instance, page: Page):
    other = two_at_once(live_site, page)
    expect(page.get_by_label("Their text")).to_have_value("Their first line\n\nLast line")
    page.get_by_role("button", name="Put both together").click()
    expect(text_of(page)).to_have_value("Their first line\n\nMy last line")
    expect(saved(page)).to_be_visible()
    page.get_by_role("link", name="Earlier texts").click()
    expect(page.locator(".cards > li")).to_have_count(1)
    other.bring_to_front()
    other.evaluate("window.dispatchEvent(new Event('focus'))")
    other.get_by_role("button", name="Show the new text").click()
    expect(text_of(other)).to_have_value("Their first line\n\nMy last line")


def test_a_choice_while_the_server_is_away_loses_nothing_either(live_site: Instance, pages: Pages):
    page = pages()
    two_at_once(live_site, page)
    cookies = page.context.cookies()
    page.context.clear_cookies(name=re.compile("session"))
    page.get_by_role("button", name="Put both together").click()
    expect(page.get_by_text("You are signed out")).to_be_visible()
    page.context.add_cookies(cookies)
    page.route("**/messages/**", lambda route: route.abort())
    page.get_by_role("button", name="Put both together").click()
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    page.get_by_role("button", name="Take theirs").click()
    expect(page.get_by_role("heading", name="Somebody else saved")).to_have_count(0)
    page.unroute("**/messages/**")
    expect(text_of(page)).to_have_value("First line\n\nMy last line")
    expect(saved(page)).to_be_visible()
    page.get_by_role("link", name="Earlier texts").click()
    expect(page.locator(".cards > li")).to_have_count(1)
    pages.faults = [fault for fault in pages.faults if "net::ERR_" not in fault]


def test_words_written_without_the_server_are_kept_and_come_back(live_site: Instance, pages: Pages):
    page = pages()
    steps.sign_in(page, *live_site.open_account())
    steps.write(page, "On the train", "Before the tunnel")
    url = page.url

    def away(route: Route) -> None:
        route.abort() if route.request.method == "POST" else route.continue_()

    page.route("**/messages/**", away)
    text_of(page).fill("Written in the tunnel")
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    # A page that is left tries once more, past every route: its line is cut in the page itself.
    page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('no line')) }")
    page.goto("about:blank")
    page.unroute("**/messages/**")
    page.goto(url)
    expect(text_of(page)).to_have_value("Before the tunnel")
    page.get_by_role("button", name="Take them").click()
    expect(text_of(page)).to_have_value("Written in the tunnel")
    expect(saved(page)).to_be_visible()
    page.reload()
    expect(text_of(page)).to_have_value("Written in the tunnel")
    expect(page.get_by_text("Words that were not saved")).to_have_count(0)
    # What could not be reached is what this is about.
    pages.faults = [fault for fault in pages.faults if "net::ERR_" not in fault]


def test_who_was_signed_out_while_writing_finds_the_words_again(live_site: Instance, page: Page):
    account = live_site.open_account()
    steps.sign_in(page, *account)
    steps.write(page, "Long letter", "Page one")
    url = page.url
    shown = page.frame_locator("#frames iframe:not(.next)").get_by_text("Page one")
    expect(shown).to_be_visible()
    page.context.clear_cookies()
    text_of(page).fill("Page one and page two")
    expect(page.get_by_text("You are signed out")).to_be_visible()
    other = page.context.new_page()
    steps.sign_in(other, *account)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(saved(page)).to_be_visible()
    other.goto(url)
    expect(text_of(other)).to_have_value("Page one and page two")


@pytest.mark.parametrize("bring", [paste, drop])
def test_an_image_is_taken_in_described_and_shown(live_site: Instance, page: Page, bring):
    steps.sign_in(page, *live_site.open_account())
    page.goto("/messages/new")
    text_of(page).fill("Look:")
    text_of(page).press("Control+End")
    bring(page, "image", base64.b64encode(PNG).decode())
    page.get_by_label("What does it show?").fill("A red apple")
    page.get_by_role("button", name="Put it into the text").click()
    expect(text_of(page)).to_have_value(
        re.compile(r"^Look:\n\n!\[A red apple\]\(http://.*/i/[0-9a-f]{32}\.png\)")
    )
    expect(saved(page)).to_be_visible()
    # Opened again, nobody has clicked into the text: what is put in goes to its end.
    page.reload()
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name="Image").click()
    asked.value.set_files({"name": "b.png", "mimeType": "image/png", "buffer": PNG})
    page.get_by_label("What does it show?").fill("A red apple")
    page.get_by_role("button", name="Put it into the text").click()
    twice = re.compile(r"^Look:(\s+!\[A red apple\]\(http://\S+){2}\s*$")
    expect(text_of(page)).to_have_value(twice)
    page.goto("/images")
    expect(page.get_by_role("img", name="A red apple")).to_be_visible()


def test_rich_text_and_links_are_pasted_as_markdown(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    page.goto("/messages/new")
    html = (
        "<h2>News</h2><p>It is <b>ripe</b>, <a href='https://a.example/x'>see</a>.</p>"
        "<ul><li>one</li><li>two<ol><li>deep</li></ol></li></ul><script>alert(1)</script>"
    )
    paste(page, "text/html", html)
    text = text_of(page)
    expect(text).to_have_value(
        "## News\n\nIt is **ripe**, [see](https://a.example/x).\n\n- one\n- two\n  1. deep"
    )
    text.fill("read this")
    text.press("Control+a")
    paste(page, "text/plain", "https://a.example/all")
    expect(text).to_have_value("[read this](https://a.example/all)")


def test_without_a_script_a_draft_is_written_looked_at_and_tested(
    live_site: Instance, pages: Pages
):
    page = pages(javascript=False)
    email, password = live_site.open_account()
    steps.sign_in(page, email, password)
    steps.write(page, "Plain", "Hello {{ subscriber.nmae }}")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("There is no merge tag “subscriber.nmae”")).to_be_visible()
    page.get_by_role("link", name="Dark").click()
    expect(page.frame_locator("iframe").get_by_text("Hello")).to_be_visible()
    page.get_by_role("button", name="Send the test").click()
    expect(page.get_by_role("status")).to_contain_text(f"A test is on its way to {email}")
