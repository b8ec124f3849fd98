"""Every part of the design system in every state, with made-up numbers: a page to build by."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from mailape.accounts.models import Role
from mailape.core import clock
from mailape.web import doors, sorting, tell
from mailape.web.charts import Chart, Series
from mailape.web.forms import Form, posted

COLOURS = ("paper", "surface", "sunk", "ink", "ink-2", "ink-3", "line", "line-strong", "accent",
           "accent-soft", "warn", "warn-soft", "danger", "danger-soft")  # fmt: skip
ICONS = """
    home list people person pen mail send inbox archive ban sliders gauge chart server globe
    shield key lock search filter sort up down left right arrow away columns more plus check
    cross undo refresh copy link bin get put picture eye clock calendar tag phone screen sun moon
    bold italic heading quote code numbers divider press pause play stop switch out info alert
    heart command
""".split()  # noqa: SIM905 - sixty strings would fill a page
STATES = ("confirmed", "unconfirmed", "unsubscribed", "sent", "sending", "queued", "deferred",
          "paused", "failed")  # fmt: skip
ROWS = (
    ("ada", "ada@example.org", "Ada", "confirmed", 41),
    ("ben", "ben@example.org", "Ben", "unconfirmed", 0),
    ("cleo", "cleo-with-a-rather-long-name@a-long-domain.example.org", "Cleo", "unsubscribed", 12),
)
TOLD = {
    "good": lambda request: tell.good(request, _("This page only shows; nothing was changed.")),
    "undo": lambda request: tell.good(
        request, _("3 people would be taken off the list."), undo=request.path, told="good"
    ),
    "info": lambda request: tell.info(request, _("The import goes on in the background.")),
    "warn": lambda request: tell.warn(request, _("Choose at least one row, then press again.")),
    "bad": lambda request: tell.bad(request, _("The server refused the password. Type it anew.")),
}


@doors.form(Role.VIEWER)
def index(request: Any) -> HttpResponse:
    """All parts; its buttons only tell what they would do."""
    if request.method == "POST":
        TOLD.get(request.POST.get("told", ""), TOLD["good"])(request)
        return redirect("web:design")
    return render(request, "web/design/index.html", _context(request))


@doors.form(Role.VIEWER)
def ask(request: Any) -> HttpResponse:
    """The page of a question: what a dialog shows with JavaScript."""
    if request.method == "POST":
        TOLD["undo"](request)
        return redirect("web:design")
    return render(request, "web/design/ask.html", {"section": "overview"})


def _context(request: Any) -> dict[str, Any]:
    now = clock.now()
    form = Form({"name": "", "filled": "Orchard news", "wrong": "ada@", "long": "An apple a day",
                 "kind": "b", "on": True, "off": False})  # fmt: skip
    form.faults["wrong"] = _("An address has something after the @: ada@example.org.")
    return {
        "section": "overview",
        "form": form,
        "empty_form": posted(request, "q"),
        "colours": COLOURS,
        "icons": ICONS,
        "states": [(name, name) for name in STATES],
        "options": [("a", _("The first")), ("b", _("The second")), ("c", _("The third"))],
        "rows": _rows(sort := sorting.read(request.GET, ("email", "opens"), "email")),
        "sort": sort,
        "charts": _charts(),
        "page": SimpleNamespace(newer="?", older="?"),
        "soon": now + timedelta(days=3, minutes=5),
        "before": now - timedelta(hours=3, minutes=5),
        "steps": _steps(),
        "snippet": '<form action="…">\n  <input type="email" name="email">\n</form>',
    }


def _rows(sort: sorting.Sort) -> list[dict[str, Any]]:
    names = ("key", "email", "name", "status", "opens")
    rows = [dict(zip(names, row, strict=True)) for row in ROWS]
    return sorted(rows, key=lambda row: row[sort.key], reverse=sort.falling)


def _steps() -> list[dict[str, Any]]:
    return [
        {"what": _("A step that is done"), "done": True},
        {"what": _("The step to take now"), "how": _("In one sentence."), "now": True},
        {"what": _("A step for later"), "how": _("It waits.")},
    ]


def _charts() -> list[Chart]:
    days = [f"{n} Mar" for n in range(1, 31)]
    growth = [1180 + n * 7 + (n * n) % 23 for n in range(30)]
    joined = [(n * 7) % 19 + 2 for n in range(30)]
    left = [(n * 5) % 6 for n in range(30)]
    week = [_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun")]
    day = _("Day")
    return [
        Chart(_("A line, not from zero"), days, [Series(_("confirmed"), growth)], first=day,
              says=_("Confirmed subscribers, from 1,180 to 1,400"), from_zero=False),
        Chart(_("Bars side by side"), week, [Series(_("joined"), joined[:7]),
              Series(_("left"), left[:7], "neutral")], "bars", first=day),
        Chart(_("Stacked bars"), days, [Series(_("sent"), [n * 40 for n in joined]),
              Series(_("deferred"), [n * 20 for n in left], "warn"),
              Series(_("failed"), [n % 4 * 12 for n in left], "danger")], "stacked", first=day),
        Chart(_("Several lines"), days, [Series(_("Weekly"), growth),
              Series(_("Club"), [n // 2 for n in growth], "neutral")], first=day),
        Chart(_("Without numbers"), [], [], first=day),
    ]  # fmt: skip
