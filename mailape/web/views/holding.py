"""Sending on hold, for the instance's administrator."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailape.delivery import hold as holding
from mailape.web import doors, tell
from mailape.web.forms import text


@doors.administrator("POST")
def hold(request: Any) -> HttpResponse:
    """Holds all sending; a second click changes nothing."""
    holding.begin()
    tell.good(request, _("Nothing new is sent; what is on the wire goes out within ten seconds."))
    return redirect("web:system")


@doors.administrator("POST")
def release(request: Any) -> HttpResponse:
    """Lets sending go on, with the newsletters that were under way or without them."""
    paused = holding.release(pause=text(request.POST, "newsletters") != "go-on")
    if paused:
        said = ngettext(
            "Sending goes on. %s newsletter is paused: somebody resumes or cancels it.",
            "Sending goes on. %s newsletters are paused: somebody resumes or cancels each.",
            paused,
        )
        tell.good(request, said % paused)
    else:
        tell.good(request, _("Sending goes on."))
    return redirect("web:system")
