"""One person: adding her, what is known of her, every mail she got, changing, erasing."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from mailape.accounts import access as rights
from mailape.accounts.models import Role
from mailape.core import address
from mailape.core.address import Address
from mailape.core.errors import Conflict, Invalid
from mailape.delivery.models import SubscriberMessage
from mailape.lists import access, people, suppress
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
from mailape.web import doors, tell
from mailape.web.forms import Form, posted
from mailape.web.paging import page

CONSENTS_SHOWN = 100
DELIVERY_SHOWN = (
    "id", "message_id", "state", "reason", "answer", "sent_at", "created_at", "tried_at"
)  # fmt: skip


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
    context = {"section": "people", "list": which, "form": form}
    return render(request, "web/people/new.html", context, status=form.status)


def _added(request: Any, which: MailingList, form: Form) -> HttpResponse:
    confirmed = form.values["consent"] == "word"
    origin = Origin(
        Method.OWNER,
        source=request.user.email,
        wording=_("The owner says that this person agreed elsewhere.") if confirmed else "",
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
        tell.warn(request, _("%(email)s is on this list already: %(status)s.") % who)
    elif confirmed:
        tell.good(request, _("%(email)s is on the list.") % who)
    else:
        tell.good(request, _("A confirmation mail goes to %(email)s.") % who)


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
        tell.good(request, told % {"email": found.subscriber.email, "list": which.name})
    return redirect("web:person", id=found.subscriber.public_id)


@doors.shows(door=access.subscriber)
def show(request: Any, person: Subscriber) -> HttpResponse:
    """One person: her subscriptions, what she agreed to, every mail she got."""
    mails = page(request, _deliveries(person), kind="delivery")
    context = {
        "section": "people",
        "person": person,
        "fields": sorted(person.fields.items()),
        "suppression": suppress.find(
            request.member.workspace, Address(person.email, person.email_key)
        ),
        "subscriptions": person.subscriptions.select_related("list").order_by("list__name"),
        "consents": _consents(person),
        "mails": mails,
    }
    return render(request, "web/people/show.html", context)


def _consents(person: Subscriber) -> list[ConsentRecord]:
    found = ConsentRecord.objects.filter(
        workspace=person.workspace_id, subscriber_id=person.pk
    ).select_related("list")
    return list(found.order_by("-pk")[:CONSENTS_SHOWN])


def _deliveries(person: Subscriber) -> QuerySet[SubscriberMessage]:
    """By the index on the subscriber; of the messages only what a row shows."""
    found = SubscriberMessage.objects.filter(
        subscriber_id=person.pk, workspace_id=person.workspace_id
    )
    shown = ("message__id", "message__kind", "message__subject", "message__archived_at")
    return found.select_related("message").only(*DELIVERY_SHOWN, *shown)


@doors.form(Role.EDITOR, door=access.subscriber)
def edit(request: Any, person: Subscriber) -> HttpResponse:
    """Changes name and fields; an admin may correct the address."""
    form = Form(
        {
            "name": person.name,
            "first_name": person.first_name,
            "email": person.email,
            "fields": people.fields_as_text(person),
        }
    )
    if request.method == "POST":
        form = posted(request, "name", "first_name", "email", "fields")
        try:
            _change(request, person, form)
            tell.good(request, _("Saved."))
            return redirect("web:person", id=person.public_id)
        except (Invalid, Conflict) as fault:
            form.refuse(fault)
            person.refresh_from_db()
    context = {"section": "people", "person": person, "form": form}
    return render(request, "web/people/edit.html", context, status=form.status)


def _change(request: Any, person: Subscriber, form: Form) -> None:
    given = form.values
    fields = people.fields_of_text(given["fields"])
    if given["email"] and given["email"] != person.email:
        rights.require(request.member, Role.ADMIN)
        people.correct_address(
            person, given["email"], Origin(Method.OWNER, source=request.user.email)
        )
    people.change(person, name=given["name"], first_name=given["first_name"], fields=fields)


@doors.form(Role.ADMIN, door=access.subscriber)
def erase_person(request: Any, person: Subscriber) -> HttpResponse:
    """Says what goes and what stays; the button does it, for good."""
    if request.method == "POST":
        email = person.email
        erase(person)
        tell.good(request, _("%(email)s is erased.") % {"email": email})
        return redirect("web:people")
    context = {
        "section": "people",
        "person": person,
        "subscriptions": person.subscriptions.count(),
        "deliveries": SubscriberMessage.objects.filter(
            subscriber_id=person.pk, workspace_id=person.workspace_id
        ).count(),
    }
    return render(request, "web/people/erase.html", context)
