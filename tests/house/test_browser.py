"""The browser of the tests opens pages, and notes what goes wrong in them."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.house.browser import Pages

pytestmark = [pytest.mark.journey, pytest.mark.once]

ANSWERS = {
    "/fine": (200, "<title>Fine</title><h1>Good morning</h1>"),
    "/script": (200, "<script>throw new Error('oh no')</script>"),
    "/breach": (200, "<p style='color: red'>inline</p>"),
    "/broken": (500, "<h1>Sorry</h1>"),
    "/missing": (404, "<h1>There is no such page</h1>"),
    "/abroad": (200, "<img src='http://pixel.example/open.gif'>"),
}


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, text = ANSWERS.get(self.path, (204, ""))
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        if self.path == "/breach":
            self.send_header("Content-Security-Policy", "default-src 'none'")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def opened(browser: Browser) -> Iterator[Pages]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pages = Pages(browser, f"http://127.0.0.1:{server.server_port}")
    yield pages
    pages.close()
    server.shutdown()
    server.server_close()


def test_a_good_page_has_no_fault(opened: Pages) -> None:
    page = opened(width=375, scheme="dark")
    page.goto("/fine")
    assert page.get_by_role("heading", name="Good morning").is_visible()
    assert page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [
        375,
        True,
    ]
    assert opened.faults == []


def test_a_page_that_says_404_has_no_fault(opened: Pages) -> None:
    opened().goto("/missing")
    assert opened.faults == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/script", "oh no"),
        ("/breach", "Content Security Policy"),
        ("/broken", "500 from"),
        ("/abroad", "pixel.example"),
    ],
)
def test_what_goes_wrong_is_noted(opened: Pages, path: str, said: str) -> None:
    opened().goto(path)
    assert any(said in fault for fault in opened.faults), opened.faults
