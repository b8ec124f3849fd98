"""The sign-up page of a list: for strangers, without a cookie, without JavaScript."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from mailape.core import limits, network, stamps
from mailape.core.errors import Invalid, TooMany
from mailape.lists import access
from mailape.lists.models import MailingList, Method
from mailape.lists.subscribe import Origin, sign_up
from mailape.web import doors, languages
from mailape.web.evenly import evenly
from mailape.web.forms import Form, posted, text

PER_NETWORK = limits.Rate(120, 600)
PER_LIST = limits.Rate(3000, 600)
# What a form that is sent sooner than a person can type counts towards, per network.
QUICK = 2.0  # seconds
STALE = 86_400.0
QUICK_ONES = limits.Rate(5, 600)
STAMP = "at"
HONEY = "website"  # no person sees this field; what fills it is a machine, or a careless browser


# No CSRF token: it would need a cookie, and a stranger's sign-up has no session to protect. Forms
# on other sites post here too.
@csrf_exempt
@doors.anyone("GET", "HEAD", "POST")
def subscribe(request: HttpRequest, list: str) -> HttpResponse:
    """GET shows the form, POST signs up; the answer is the same for every address."""
    which = access.public_list(list)
    languages.for_reader(request, which)
    if request.method != "POST":
        return _page(request, which, Form({"email": "", "name": ""}))
    form = posted(request, "email", "name")
    try:
        return _signed_up(request, which, form)
    except Invalid as fault:
        form.refuse(fault)
        return _page(request, which, form, status=400)
    except TooMany as fault:
        form.refuse(fault)
        response = _page(request, which, form, status=429)
        response["Retry-After"] = str(fault.retry_after)
        return response


def _signed_up(request: HttpRequest, which: MailingList, form: Form) -> HttpResponse:
    here = network.of(request.META)
    _count(here, which)
    if not form.values["email"]:
        raise Invalid(_("Type your e-mail address."), "email")
    if text(request.POST, HONEY) or _too_quick(request, which, here):
        # Asked again on a page without the trap, and never silently dropped: an honest browser
        # that fills every field it finds gets through with one more click.
        form.fault = _("One more click, please, so that we know you are a person.")
        return _page(request, which, form, plain=True)
    origin = Origin(Method.FORM, request.path, consent_wording(which), _address(here))
    with evenly():
        sign_up(which, form.values["email"], form.values["name"], origin)
    return _render(request, "web/public/look.html", {"list": which})


def _too_quick(request: HttpRequest, which: MailingList, here: str) -> bool:
    """Whether this network has sent several forms sooner than people type them.

    A form on the owner's own site has no stamp and counts like a quick one, so the first few go
    through: what is asked of the next is one more click, and never silence.
    """
    age = stamps.age("subscribe", which.public_id, text(request.POST, STAMP))
    if network.is_loopback(here) or (age is not None and QUICK <= age <= STALE):
        return False
    try:
        limits.count("subscribe-quick", limits.network(here), QUICK_ONES)
    except TooMany:
        return True
    return False


def consent_wording(which: MailingList) -> str:
    """What she agrees to: shown on the form, and kept in the consent record in these words."""
    return _(
        "By signing up you agree to get “%(list)s” from %(workspace)s by e-mail. "
        "You can leave at any time with the link in every mail."
    ) % {"list": which.name, "workspace": which.workspace.name}


def _count(here: str, which: MailingList) -> None:
    # Behind a proxy that nobody configured, every visitor has the proxy's loopback address: they
    # must not share one visitor's limit. The list's own limit holds for them all.
    if not network.is_loopback(here):
        limits.count("subscribe-from", limits.network(here), PER_NETWORK)
    limits.count("subscribe-to", str(which.pk), PER_LIST)


def _address(here: str) -> str | None:
    return None if here == network.UNKNOWN else here


def _page(
    request: HttpRequest, which: MailingList, form: Form, *, status: int = 200, plain: bool = False
) -> HttpResponse:
    context = {
        "list": which,
        "form": form,
        "wording": consent_wording(which),
        "honey": "" if plain else HONEY,
        "stamp": stamps.make("subscribe", which.public_id),
    }
    return _render(request, "web/public/subscribe.html", context, status)


def _render(
    request: HttpRequest, template: str, context: dict[str, object], status: int = 200
) -> HttpResponse:
    workspace = getattr(context.get("list"), "workspace", None)
    return render(request, template, {"workspace": workspace, **context}, status=status)
