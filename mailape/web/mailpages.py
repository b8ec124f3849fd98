"""Mail HTML as a page of its own: sandboxed, so that it cannot touch the application."""

from __future__ import annotations

import re

from django.http import HttpResponse

# An opaque origin without scripts, forms or plugins. Links open outside; what they open is a page
# like any other, or our own confirmation page could not send its form.
_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox"
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; font-src data:;"
    " frame-ancestors 'self'"
)
_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)
_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_TARGET = '<base target="_blank">'


def as_scheme(html: str, scheme: str) -> str:
    """`html` as a mail program in light or dark shows it, whatever this browser is set to."""
    if scheme not in {"light", "dark"}:
        return html
    # A feature that is always true, and one that never is, in the place of the question.
    fixed = {True: "(min-width: 0)", False: "(max-width: 0)"}
    html = _SCHEME.sub(lambda asked: fixed[asked[1].lower() == scheme], html)
    return html.replace('content="light dark"', f'content="{scheme}"')


def framed(html: str, *, top: bool = False) -> HttpResponse:
    """`html` under `Content-Security-Policy: sandbox`; in a frame its links open in a new tab."""
    response = HttpResponse(html if top else _outwards(html))
    response["Content-Security-Policy"] = f"{_SANDBOX}; {_POLICY}"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response


def _outwards(html: str) -> str:
    head = _HEAD.search(html)
    if head is None:
        return _TARGET + html
    return html[: head.end()] + _TARGET + html[head.end() :]
