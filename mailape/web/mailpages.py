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
_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_TARGET = '<base target="_blank">'


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
