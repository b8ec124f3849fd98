"""Subscribers of a list, and one person across all lists of the workspace."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from mailape.accounts.models import Role
from mailape.campaigns.models import Message
from mailape.core import address
from mailape.core.address import Address
from mailape.core.errors import Conflict, Invalid
from mailape.delivery.models import SubscriberMessage
from mailape.lists import access, manage, people, suppress
from mailape.lists.models import (
    ConsentRecord,
    MailingList,
    Method,
    Status,
    Subscriber,
    Subscription,
)
from mailape.lists.subscribe import Origin, add, unsubscribe
from mailape.privacy.erase import erase
from mailape.web import doors
from mailape.web.forms import Form, posted, search_text
from mailape.web.paging import page

DELIVERIES_SHOWN = 100


@doors.shows(door=access.a_list)
def index(request: Any, which: MailingList) -> HttpResponse:
    """The list's subscribers: by status, by search, page by page."""
    status, q = request.GET.get("status", ""), search_text(request.GET)
    status = status if status in Status.values else ""
    context = {
        "section": "lists",
        "tab": "subscribers",
        "list": which,
        "status": status,
        "q": q,
        "statuses": Status.choices,
        "page": page(request, people.on_list(which, status=status, q=q), kind="subscription"),
        "nobody": not Subscription.objects.filter(list=which).exists(),
        "subscribe_url": manage.subscribe_url(which),
    }
    return render(request, "web/people/index.html", context)


@doors.form(Role.EDITOR, door=access.a_list)
def new(request: Any, which: MailingList) -> HttpResponse:
    """Adds a person, by a confirmation mail or on the owner's word."""
    form = Form({"email": "", "name": "", "consent": "ask", "again": ""})
    if request.method == "POST":
        form = posted(request, "email", "name", "consent", "again")
        try:
            return _added(request, which, form)
        except Invalid as fault:
            form.refuse(fault)
        except Conflict as fault:
            form.refuse(fault)
            form.values["left"] = _has_left(which, form.values["email"])
    context = {"section": "lists", "list": which, "form": form}
    return render(request, "web/people/new.html", context, status=form.status)


def _added(request: Any, which: MailingList, form: Form) -> HttpResponse:
    confirmed = form.values["consent"] == "word"
    origin = Origin(
        Method.OWNER,
        source=request.user.email,
        wording=_("The owner says that she agreed elsewhere.") if confirmed else "",
    )
    subscription, new_here = add(
        which, form.values["email"], form.values["name"], origin,
        confirmed=confirmed, resubscribe=form.values["again"] == "yes",
    )  # fmt: skip
    _tell_added(request, subscription, new_here, confirmed)
    return redirect("web:subscribers", id=which.public_id)


def _tell_added(request: Any, made: Subscription, new_here: bool, confirmed: bool) -> None:
    who = {"email": made.subscriber.email, "status": made.get_status_display().lower()}
    if not new_here:
        messages.info(request, _("%(email)s is on this list already: %(status)s.") % who, "warn")
    elif confirmed:
        messages.success(request, _("%(email)s is on the list.") % who, "good")
    else:
        messages.success(request, _("A confirmation mail goes to %(email)s.") % who, "good")


def _has_left(which: MailingList, email: str) -> bool:
    try:
        key = address.parse(email).key
    except Invalid:
        return False
    gone = Subscription.objects.filter(list=which, status=Status.UNSUBSCRIBED)
    return gone.filter(subscriber__email_key=key).exists()


@doors.deed(Role.EDITOR, door=access.a_list)
def end(request: Any, which: MailingList, person: str) -> HttpResponse:
    """Ends one subscription; the person and her record stay."""
    found = access.subscription(which, person)
    origin = Origin(Method.OWNER, source=request.user.email)
    if unsubscribe(found.subscriber_id, [which.pk], origin):
        told = _("%(email)s is off the list “%(list)s”.")
        messages.success(
            request, told % {"email": found.subscriber.email, "list": which.name}, "good"
        )
    return redirect("web:person", id=found.subscriber.public_id)


@doors.shows(door=access.subscriber)
def show(request: Any, person: Subscriber) -> HttpResponse:
    """One person: her subscriptions, what she agreed to, every mail she got."""
    context = {
        "section": "lists",
        "person": person,
        "suppression": suppress.find(
            request.member.workspace, Address(person.email, person.email_key)
        ),
        "subscriptions": person.subscriptions.select_related("list").order_by("list__name"),
        "consents": _consents(person),
        "deliveries": _deliveries(person),
    }
    return render(request, "web/people/show.html", context)


def _consents(person: Subscriber) -> list[ConsentRecord]:
    found = ConsentRecord.objects.filter(
        workspace=person.workspace_id, subscriber_id=person.pk
    ).select_related("list")
    return list(found.order_by("-pk")[:DELIVERIES_SHOWN])


def _deliveries(person: Subscriber) -> list[tuple[SubscriberMessage, Message]]:
    found = (
        SubscriberMessage.objects.filter(subscriber_id=person.pk, workspace_id=person.workspace_id)
        .select_related("message")
        .defer("message__body")
    )
    return [(one, one.message) for one in found.order_by("-pk")[:DELIVERIES_SHOWN]]


@doors.form(Role.ADMIN, door=access.subscriber)
def erase_person(request: Any, person: Subscriber) -> HttpResponse:
    """Says what goes and what stays; the button does it, for good."""
    if request.method == "POST":
        email = person.email
        erase(person)
        messages.success(request, _("%(email)s is erased.") % {"email": email}, "good")
        return redirect("web:lists")
    context = {
        "section": "lists",
        "person": person,
        "subscriptions": person.subscriptions.count(),
        "deliveries": SubscriberMessage.objects.filter(
            subscriber_id=person.pk, workspace_id=person.workspace_id
        ).count(),
    }
    return render(request, "web/people/erase.html", context)
