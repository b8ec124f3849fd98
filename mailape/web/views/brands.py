"""A workspace's colour and logo, for its public pages: kept by caches, asking no session."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from mailape.accounts import workspaces
from mailape.web import brand, doors

FOR_EVER = "public, max-age=31536000, immutable"
FOR_A_DAY = "public, max-age=86400"


@doors.anyone()
def sheet(request: HttpRequest, colour: str) -> HttpResponse:
    """The style sheet of a colour, made of nothing but the colour in its address."""
    if not brand.is_colour(colour):
        raise Http404
    return HttpResponse(
        brand.sheet(colour), "text/css; charset=utf-8", headers={"Cache-Control": FOR_EVER}
    )


@doors.anyone()
def logo(request: HttpRequest, id: str, digest: str) -> HttpResponse:
    """The workspace's logo. Another picture has another address; what stood in mails under an
    earlier one is the logo of now."""
    found = workspaces.logo(id)
    headers = {
        "Cache-Control": FOR_EVER if found.digest == digest else FOR_A_DAY,
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",  # mail programs in a browser
    }
    return HttpResponse(bytes(found.content), found.media_type, headers=headers)
