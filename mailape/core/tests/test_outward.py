"""A stranger's server is asked, and nothing of our own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dns.resolver
import pytest

from mailape.core import outward
from mailape.core.outward import NoAnswer, NotAsked

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "255.255.255.255", "224.0.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "192.0.2.1",
]  # fmt: skip


class Server:
    """A web server on loopback that says what a test tells it, by path."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                outer.asked.append((self.command, self.path, self.headers["Host"]))
                outer.answers.get(self.path, lambda to: to.send_error(404))(self)

            do_HEAD = do_GET = handle_any  # noqa: N815 - the library's names

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def says(self, path: str, code: int, to: str = "") -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(code)
            if to:
                handler.send_header("Location", to)
            handler.end_headers()

        self.answers[path] = answer


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """The whole world is this server: its port is the web's, and good.example has its address."""
    made = Server()
    public = outward.is_public
    monkeypatch.setattr(outward, "PORTS", {"http": made.port, "https": 443})
    monkeypatch.setattr(outward, "_looked_up", lambda host, _: NAMES[host])
    monkeypatch.setattr(outward, "is_public", lambda one: one == "127.0.0.1" or public(one))
    yield made
    made.server.shutdown()
    made.server.server_close()


NAMES = {
    "good.example": ["127.0.0.1"],
    "inside.example": ["192.168.1.1"],
    "both.example": ["127.0.0.1", "10.0.0.1"],
}


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_open_internet_is_not_asked(address):
    assert not outward.is_public(address)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(NotAsked, match="not public"):
        outward.status(f"http://{host}/")


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_what_is_public_may_be_asked(address):
    assert outward.is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://good.example/", "file:///etc/passwd", "gopher://good.example/", "//good.example/",
        "http://good.example:22/", "http://user:secret@good.example/", "http://", "http://[::1",
        "http://good.example:x/", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_only_plain_addresses_of_the_web_are_asked(server, url):
    with pytest.raises(NotAsked):
        outward.status(url)
    assert server.asked == []


@pytest.mark.parametrize("spelling", ["http://2130706433/", "http://0x7f.1/", "http://127.1/"])
def test_other_spellings_of_an_address_are_names_that_nobody_has(monkeypatch, spelling):
    class NobodyKnowsIt:
        def resolve(self, *_: object, **__: object) -> None:
            raise dns.resolver.NXDOMAIN

    monkeypatch.setattr(dns.resolver, "Resolver", NobodyKnowsIt)
    monkeypatch.setattr(outward, "_request", lambda *_: pytest.fail("it was asked"))
    with pytest.raises(NoAnswer, match="no such domain"):
        outward.status(spelling)


def test_a_name_with_one_private_address_is_not_asked(server):
    for host in ("inside.example", "both.example"):
        with pytest.raises(NotAsked, match="not public"):
            outward.status(f"http://{host}/")
    assert server.asked == []


def test_the_status_is_told_and_the_host_is_named(server):
    server.says("/there?x=1", 200)
    assert outward.status("http://good.example/there?x=1") == 200
    assert server.asked == [("HEAD", "/there?x=1", "good.example")]


def test_what_is_not_there_for_head_is_asked_for_once_more(server):
    assert outward.status("http://good.example/gone") == 404
    assert [method for method, *_ in server.asked] == ["HEAD", "GET"]


def test_a_redirect_is_followed_to_its_end(server):
    server.says("/old", 301, "/new")
    server.says("/new", 200)
    assert outward.status("http://good.example/old") == 200


def test_a_redirect_into_the_inside_is_not_followed(server):
    server.says("/", 302, "http://inside.example/secret")
    with pytest.raises(NotAsked):
        outward.status("http://good.example/")
    server.says("/", 302, "file:///etc/passwd")
    with pytest.raises(NotAsked):
        outward.status("http://good.example/")


def test_a_chain_of_redirects_has_an_end(server):
    server.says("/", 302, "/")
    with pytest.raises(NoAnswer, match="on and on"):
        outward.status("http://good.example/")
    assert len(server.asked) == outward.HOPS


def test_a_server_that_speaks_a_letter_at_a_time_does_not_hold_us(server):
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        try:
            for _ in range(100):
                handler.wfile.write(b"x")
                time.sleep(0.1)
        except OSError:
            pass

    server.answers["/"] = slowly
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match="too long"):
        outward.status("http://good.example/", patience=0.5)
    assert time.monotonic() - begun < 3


def test_what_is_no_http_and_what_takes_no_connection_is_said(server, monkeypatch):
    server.answers["/"] = lambda handler: handler.wfile.write(b"220 mail.example ESMTP\r\n")
    with pytest.raises(NoAnswer, match="not HTTP"):
        outward.status("http://good.example/")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(outward, "PORTS", {"http": free.getsockname()[1]})
        with pytest.raises(NoAnswer, match="takes no connection"):
            outward.status("http://good.example/")


def test_a_url_cannot_add_a_header(server):
    with pytest.raises((NoAnswer, NotAsked)):
        outward.status("http://good.example/ HTTP/1.1\r\nX-Evil: 1\r\n\r\n")
    assert not [path for _, path, _ in server.asked if "Evil" in path]
