"""The pages behind the links of our mails: confirm, unsubscribe, preferences, view in browser;
and the way on through a tracked link.

A link's token names message and subscriber; neither cookie nor delivery row is needed. GET and
HEAD change nothing, because mail scanners and browsers follow links by themselves: each page has
one form, and its button POSTs. Tokens are never sent on in a Referer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from mailape.campaigns.models import Message
from mailape.core import links, network
from mailape.core.errors import NotFound
from mailape.core.links import Named, Purpose
from mailape.delivery import access as deliveries
from mailape.delivery import preview
from mailape.lists import wording
from mailape.lists.models import MailingList, Method, Status, Subscriber, Subscription
from mailape.lists.subscribe import Origin, come_back, confirm, unsubscribe
from mailape.web import doors, languages
from mailape.web.mailpages import framed

TEST = "test"  # what stands for the token in the links of a test mail
ONE_CLICK = "One-Click"  # RFC 8058 section 3.1: the value of List-Unsubscribe in the POST


def _behind_a_link(purpose: Purpose) -> Callable[..., Any]:
    """Reads the token and loads what it names; anything wrong with it is a friendly 404."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @doors.anyone("GET", "HEAD", "POST")
        @wraps(view)
        def page(request: HttpRequest, token: str) -> HttpResponse:
            if token == TEST:
                return _quietly(_of_a_test(request))
            try:
                languages.for_reader(request, None)
                response = view(request, _load(links.read(purpose, token)))
            except NotFound as gone:
                response = _gone(request, gone)
            return _quietly(response)

        return page

    return decorate


def _of_a_test(request: HttpRequest) -> HttpResponse:
    """Whoever tried the links of a test mail learns that they are in their place."""
    languages.for_reader(request, None)
    return render(request, "web/public/of_a_test.html")


def _gone(request: HttpRequest, gone: NotFound) -> HttpResponse:
    which = getattr(gone, "list", None)
    context = {
        "gone": str(gone),
        "list": which,
        "workspace": which.workspace if which else None,
    }
    return render(request, "web/public/gone.html", context, status=404)


def _quietly(response: HttpResponse) -> HttpResponse:
    """Her token goes nowhere with the next request, into no index, and into no cache."""
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    response["Cache-Control"] = "no-store"
    return response


class Behind:
    """What a link leads to."""

    def __init__(self, named: Named, message: Message, person: Subscriber | None) -> None:
        self.named, self.message, self._person = named, message, person

    @property
    def person(self) -> Subscriber:
        """Whom the mail went to. Raises NotFound once she is erased."""
        if self._person is None:
            raise NotFound(_("This link belongs to somebody whose data was erased here."))
        return self._person

    @property
    def list_ids(self) -> list[int]:
        """The lists that the message went to: one click ends all of them."""
        if self.message.list_id:
            return [self.message.list_id]
        rule = self.message.audience_frozen or self.message.audience
        return [int(key) for key in rule.get("lists", [])]

    @cached_property
    def lists(self) -> list[MailingList]:
        """Those lists, each with its workspace at hand."""
        found = list(MailingList.objects.filter(pk__in=self.list_ids).order_by("pk"))
        for one in found:
            one.workspace = self.message.workspace  # type: ignore[assignment]
        return found

    def speak(self, request: HttpRequest, name: str = "") -> str:
        """Sets the page's language; returns the owner's text of this name, where there is one.

        Of several lists none speaks for the others.
        """
        which = self.lists[0] if self.lists else None
        own = wording.text(which, name) if which and name and len(self.lists) == 1 else ""
        languages.for_reader(request, which, *([name] if own else []))
        return own

    def origin(self, request: HttpRequest, method: Method) -> Origin:
        """For the consent record; the token itself stays out of it."""
        here = network.of(request.META)
        return Origin(
            method,
            # For the record, not for her: in the language of the records.
            source=f"link in message {self.message.public_id}",
            network_address=None if here == network.UNKNOWN else here,
        )


def _load(named: Named) -> Behind:
    message = (
        Message.objects.select_related("list", "workspace", "revision")
        .defer("body")
        .filter(pk=named.message_id, workspace__isnull=False)
        .first()
    )
    if message is None:
        raise NotFound(_("The message that this link was in is gone."))
    person = Subscriber.objects.filter(pk=named.subscriber_id, workspace=message.workspace).first()
    return Behind(named, message, person)


# --- confirmation ---------------------------------------------------------------------------------


@_behind_a_link(Purpose.CONFIRM)
def confirmation(request: HttpRequest, behind: Behind) -> HttpResponse:
    """GET shows one button; POST confirms. A second POST shows the same page again."""
    which = behind.message.list
    if which is None:
        raise NotFound(_("This confirmation is not valid any more."))
    behind.speak(request)
    try:
        person = behind.person
        context: dict[str, Any] = {
            "list": which,
            "workspace": behind.message.workspace,
            "person": person,
        }
        if request.method == "POST":
            origin = behind.origin(request, Method.CONFIRMATION)
            confirm(which.pk, person.pk, behind.named.occasion, origin)
            context["own"] = behind.speak(request, "thanks")
            return render(request, "web/public/confirmed.html", context)
        status = _status(which, person)
        if status in (None, Status.UNSUBSCRIBED):
            raise NotFound(_("This confirmation is not valid any more. Please sign up again."))
        if status == Status.CONFIRMED:
            return render(request, "web/public/confirmed.html", context | {"already": True})
        return render(request, "web/public/confirm.html", context)
    except NotFound as gone:
        # The page then offers to sign up again, as long as the list takes people.
        gone.list = which if which.archived_at is None else None  # type: ignore[attr-defined]
        raise


def _status(which: MailingList, person: Subscriber) -> str | None:
    found = Subscription.objects.filter(list=which, subscriber=person).first()
    return found.status if found else None


# --- unsubscribe ----------------------------------------------------------------------------------


@_behind_a_link(Purpose.UNSUBSCRIBE)
def leave(request: HttpRequest, behind: Behind) -> HttpResponse:
    """GET shows one button. POST ends her subscriptions to all lists of the message, at once.

    One-click by RFC 8058 is answered with a short text; a person gets a page with the way back.
    """
    behind.speak(request)
    person, wanted = behind.person, behind.list_ids
    context = {
        "workspace": behind.message.workspace,
        "person": person,
        "lists": behind.lists,
        "preferences": _preferences_token(behind),
    }
    if request.method != "POST":
        return render(request, "web/public/leave.html", context)
    if request.POST.get("List-Unsubscribe") == ONE_CLICK:
        unsubscribe(person.pk, wanted, behind.origin(request, Method.ONE_CLICK))
        return HttpResponse(_("You are unsubscribed.") + "\n", "text/plain; charset=utf-8")
    if request.POST.get("back"):
        come_back(person.pk, wanted, behind.origin(request, Method.LINK))
        return render(request, "web/public/back.html", context)
    unsubscribe(person.pk, wanted, behind.origin(request, Method.LINK))
    context["own"] = behind.speak(request, "goodbye")
    return render(request, "web/public/goodbye.html", context)


def _preferences_token(behind: Behind) -> str:
    named = behind.named
    return links.for_person(named.message_id, named.subscriber_id, named.occasion).preferences


# --- preferences ----------------------------------------------------------------------------------


@_behind_a_link(Purpose.PREFERENCES)
def preferences(request: HttpRequest, behind: Behind) -> HttpResponse:
    """Her lists in this workspace: one form to keep some of them, or to leave all."""
    behind.speak(request)
    person, saved = behind.person, ""
    if request.method == "POST":
        saved = _save_preferences(request, behind)
    context = {
        "workspace": behind.message.workspace,
        "person": person,
        "subscriptions": _choices(person),
        "saved": saved,
    }
    return render(request, "web/public/preferences.html", context)


def _save_preferences(request: HttpRequest, behind: Behind) -> str:
    person, origin = behind.person, behind.origin(request, Method.PREFERENCES)
    if request.POST.get("leave_all"):
        unsubscribe(person.pk, None, origin)
        return _("You are off all lists.")
    wanted = set(request.POST.getlist("list"))
    offered = {one.list_id: one.list.public_id in wanted for one in _choices(person)}
    unsubscribe(person.pk, [key for key, keep in offered.items() if not keep], origin)
    come_back(person.pk, [key for key, keep in offered.items() if keep], origin)
    return _("Your choice is saved.")


def _choices(person: Subscriber) -> list[Subscription]:
    """What she may tick: lists she is on, or was on and may come back to."""
    hers = person.subscriptions.select_related("list").filter(
        list__archived_at__isnull=True, confirmed_at__isnull=False
    )
    return list(hers.exclude(status=Status.UNCONFIRMED).order_by("pk"))


# --- view in browser ------------------------------------------------------------------------------


@_behind_a_link(Purpose.CLICK)
def view(request: HttpRequest, behind: Behind) -> HttpResponse:
    """The message as a page of its own, without the links that are hers alone."""
    if request.method == "POST":
        raise NotFound(_("There is nothing to send here."))
    return framed(preview.in_browser(behind.message, behind.person), top=True)


# --- tracked links --------------------------------------------------------------------------------


@doors.anyone()
def click(request: HttpRequest, token: str, number: int) -> HttpResponse:
    """On to where the link leads, which was stored when the message was compiled.

    Neither session nor cookie is read, nothing is recorded, and nothing of the request but token
    and number is looked at: there is no address that one could smuggle in.
    """
    try:
        url = deliveries.target(token, number)
    except NotFound as gone:
        return _quietly(_gone(request, gone))
    # Not Django's own class for it, which refuses long addresses: this one is the writer's.
    return _quietly(HttpResponse(status=302, headers={"Location": iri_to_uri(url)}))
