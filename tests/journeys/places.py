"""Every page there is, with something on it and with nothing: for pictures and for axe.

The pages of members are read from their routes (`mailape.web.tests.worlds`), so a new one is
photographed and looked through without being named here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.urls import reverse
from playwright.sync_api import Browser, Page

from mailape.web.tests.test_rights import ADMINISTRATOR, MEMBERS
from mailape.web.tests.worlds import ROUTES
from tests.house.instances import Instance
from tests.journeys import steps

PASSWORD = "correct horse battery"
# Routes that are no page to look at: the HTML of a mail, which its writer answers for, and a part.
NO_PAGES = {
    "message-html",
    "outbox-html",
    "list-wording-mail",
    "list-wording-welcome",
    "message-tests",
}
# What pictures are called where the route's name says less.
CALLED = {
    "message": "outcome", "message-edit": "write", "message-preview": "preview",
    "message-send": "send", "person-erase": "erase", "suppression-new": "suppress",
}  # fmt: skip
# With nothing in the workspace these show how it begins; the others show the same form as ever.
BEGIN = ("overview", "lists", "people", "messages", "outbox", "suppressions", "message-new", "go")


@dataclass
class Places:
    """The paths of all pages by name, and who looks at which."""

    mara: str
    noa: str
    root: str
    full: dict[str, str] = field(default_factory=dict)
    empty: dict[str, str] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)
    anybody: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def groups(self) -> list[tuple[str, dict[str, str]]]:
        """The address of who looks, empty for a stranger, and the pages."""
        return [
            (self.mara, self.full),
            (self.noa, self.empty),
            (self.root, self.system),
            ("", self.anybody),
        ]


def plant(site: Instance, browser: Browser, domain: str = "orchard.example") -> Places:
    """Fills the instance, sends a message, and finds every page."""
    places = Places(f"mara@{domain}", f"noa@{domain}", f"root@{domain}")
    code = f"from tests.journeys.orchard import plant; plant({places.mara!r}, {places.noa!r}, "
    said = site.run("shell", "-c", f"{code}{PASSWORD!r})").stdout.strip().splitlines()[-1]
    ids = json.loads(said)
    context = browser.new_context(base_url=site.url, locale="en-GB")
    page = context.new_page()
    steps.sign_in(page, places.mara, PASSWORD)
    places.anybody = _strangers(page, ids)
    ids["outbox"] = _send(page, ids["sent"])
    places.anybody |= _readers(page)
    _members(page, places, ids)
    context.close()
    _administrators(site, browser, places)
    return places


def _administrators(site: Instance, browser: Browser, places: Places) -> None:
    """The pages of the instance's administrator, and the public one that she switches on."""
    site.open_account(places.root, admin=True)
    context = browser.new_context(base_url=site.url, locale="en-GB")
    page = context.new_page()
    steps.sign_in(page, places.root, PASSWORD)
    shown = [name for name, methods in ADMINISTRATOR.items() if "GET" in methods]
    places.system = {name: reverse(f"web:{name}") for name in shown}
    page.goto(reverse("web:system-instance"))
    page.get_by_role("button", name="Switch it on").click()
    page.get_by_role("button", name="Switch it off").wait_for()
    places.anybody["status"] = reverse("web:status")
    context.close()


def _strangers(page: Page, ids: dict[str, str]) -> dict[str, str]:
    steps.open_mail(page, "confirm", "example.org")
    confirm = steps.path_of(steps.link_in_mail(page, "/confirm/").get_attribute("href") or "")
    return {
        "sign-in": "/sign-in", "forgot": "/forgot", "sign-up": f"/subscribe/{ids['list']}",
        "confirm": confirm, "gone": "/confirm/x", "not-found": "/nothing",
        "set-up-spent": "/setup/x", "invitation": ids["invited"],
    }  # fmt: skip


def _send(page: Page, sent: str) -> str:
    """Sends the message and opens one of its mails; returns that mail's id."""
    page.goto(f"/messages/{sent}/send")
    page.get_by_role("button", name="Send to").click()
    page.locator("main .state", has_text="Sent").first.wait_for(timeout=60_000)
    steps.open_mail(page, "Blossom", "example.org")
    return urlsplit(page.url).path.rsplit("/", 1)[-1]


def _readers(page: Page) -> dict[str, str]:
    """The pages behind the links of the mail that is open."""
    return {
        name: steps.path_of(steps.link_in_mail(page, part).get_attribute("href") or "")
        for name, part in (("unsubscribe", "/u/"), ("preferences", "/p/"))
    }


def _members(page: Page, places: Places, ids: dict[str, str]) -> None:
    known = ids | {
        "message": ids["sent"],
        "delivery": _a_delivery(page, ids["sent"]),
        "domain": places.mara.partition("@")[2],
    }
    for name, (methods, _role) in MEMBERS.items():
        if "GET" not in methods or name in NO_PAGES:
            continue
        # What is no kind of thing stands in the address as it is.
        kwargs = {key: known.get(kind, kind) for key, kind in ROUTES.get(name, {}).items()}
        path = reverse(f"web:{name}", kwargs=kwargs)
        found = _kind(page, path)
        if found == "page":
            places.full[CALLED.get(name, name)] = path
            if name in BEGIN:
                places.empty[f"no-{name}" if name != "overview" else "first-steps"] = path
        elif found == "nothing":
            places.unknown.append(name)
    mail = places.full["outbox-mail"]
    places.full |= {f"outbox-{view}": f"{mail}?view={view}" for view in ("headers", "source")}


def _a_delivery(page: Page, sent: str) -> str:
    page.goto(f"/messages/{sent}/deliveries")
    link = page.locator("main table a").first.get_attribute("href") or ""
    return urlsplit(link).path.rsplit("/", 1)[-1]


def _kind(page: Page, path: str) -> str:
    """Whether a whole page is there, nothing, or something else: a file, a part, a way on."""
    answer = page.request.get(path, max_redirects=0)
    html = "text/html" in answer.headers.get("content-type", "")
    if answer.status == 404:
        return "nothing"
    return "page" if answer.status == 200 and html and "<html" in answer.text() else "else"
