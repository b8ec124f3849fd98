"""The way to everything: a page, and with JavaScript the dialog behind Ctrl-K."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from mailape.web import doors, finding
from mailape.web.context import web
from mailape.web.forms import search_text


@doors.shows()
def go(request: Any) -> HttpResponse:
    """Pages, deeds, lists, messages and people that fit `?q=`."""
    q = search_text(request.GET)
    known = web(request) | {"request": request}
    groups = finding.find(known, request.member, q)
    context = {"section": "go", "q": q, "groups": groups}
    return render(request, "web/go.html", context)
