"""A person's browser and an owner's script: plain HTTP, which says when its outcome is unknown."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

PATIENCE = 15.0
AGAIN_AFTER = 0.25
TOKEN = "c" * 32  # a browser's own, by which a form is known to be from its page


class Unsure(Exception):
    """The line broke, or the server failed: what was asked for has happened, or it has not."""


class GivenUp(Exception):
    """Nobody answered for so long that asking on made no sense."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    raw: bytes

    @property
    def text(self) -> str:
        return self.raw.decode("utf-8", "replace")

    @property
    def data(self) -> Any:
        return json.loads(self.text)

    @property
    def good(self) -> bool:
        return 200 <= self.status < 400


class Web:
    """The web server of an instance. Every call has a connection of its own; safe in threads."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self._token = token

    def api(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A call of the API. Raises Unsure."""
        words = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        raw = None
        if body is not None:
            raw = json.dumps(body)
            words["Content-Type"] = "application/json"
        return self.call(method, f"/api/v1/{path}", raw, words)

    def post_form(self, url: str, fields: Mapping[str, str]) -> Answer:
        """A POST as a mail program sends it with one click. Raises Unsure."""
        words = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.call("POST", urlsplit(url).path, urlencode(fields), words)

    def submit(self, url: str, **typed: str) -> Answer:
        """Opens a page, fills its one form in and sends it. Raises Unsure."""
        page = self.call("GET", urlsplit(url).path, None, {})
        if not page.good:
            return page
        form = _Form()
        form.feed(page.text)
        return self.post_form(form.action or url, {**form.hidden, **typed})

    def fetch(self, url: str) -> Answer:
        """A GET of anybody's. Raises Unsure."""
        return self.call("GET", urlsplit(url).path, None, {})

    def post_as(self, cookie: str, path: str, fields: Mapping[str, str]) -> Answer:
        """The form of a page that a browser shows whose session has this cookie. Raises Unsure."""
        words = {"Content-Type": "application/x-www-form-urlencoded", **_with_token(cookie)}
        body = urlencode({**fields, "csrfmiddlewaretoken": TOKEN})
        return self.call("POST", path, body, words)

    def upload_as(self, cookie: str, path: str, name: str, content: bytes) -> Answer:
        """A file in such a form, as a script of the page sends it. Raises Unsure."""
        line = uuid.uuid4().hex
        head = f'--{line}\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n'
        body = f"{head}Content-Type: image/png\r\n\r\n".encode() + content
        words = {"Content-Type": f"multipart/form-data; boundary={line}", "X-Part": name}
        words |= {**_with_token(cookie), "X-CSRFToken": TOKEN}
        return self.call("POST", path, body + f"\r\n--{line}--\r\n".encode(), words)

    def call(
        self, method: str, path: str, body: str | bytes | None, words: dict[str, str]
    ) -> Answer:
        """Any request, with these headers. Raises Unsure."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, words)
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as fault:
            raise Unsure(f"{method} {path}: {fault}") from fault
        finally:
            connection.close()
        if answer.status >= 500 or answer.status == 429:
            raise Unsure(f"{method} {path}: {answer.status} {answer.text[:200]}")
        return answer


def _with_token(cookie: str) -> dict[str, str]:
    return {"Cookie": f"{cookie}; csrftoken={TOKEN}"}


class _Form(HTMLParser):
    """The one POST form of a public page: where it goes, and what stands in it already."""

    def __init__(self) -> None:
        super().__init__()
        self.action, self.hidden = "", dict[str, str]()
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self._inside = (found.get("method") or "").lower() == "post"
            self.action = (found.get("action") or "") if self._inside else self.action
        elif self._inside and found.get("type") == "hidden" and found.get("name"):
            self.hidden[found["name"] or ""] = found.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def insist(ask: Callable[[], Answer], patient: Callable[[], bool]) -> Answer:
    """Asks again until there is an answer. Raises GivenUp when `patient` says that it is enough."""
    while True:
        try:
            return ask()
        except Unsure as unsure:
            if not patient():
                raise GivenUp(str(unsure)) from unsure
            time.sleep(AGAIN_AFTER)
