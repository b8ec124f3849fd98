"""Tables of people: those of a list, and everybody in the workspace; as a file, too."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from mailape.accounts.models import Role
from mailape.core import ids
from mailape.core.errors import Invalid
from mailape.lists import access, find, manage, numbers
from mailape.lists.models import MailingList, Status, Subscriber, Subscription
from mailape.web import csvs, doors, filters
from mailape.web.filters import Filters
from mailape.web.paging import Page, link

SHOWN_LISTS = 200


@doors.shows(door=access.a_list)
def index(request: Any, which: MailingList) -> HttpResponse:
    """The list's subscribers."""
    asked = filters.read(request.GET, request.member.workspace, which)
    counts = numbers.counts([which])[which.pk]
    context = {
        "section": "lists",
        "tab": "subscribers",
        "list": which,
        "counts": counts,
        "everybody": sum(counts.values()),
        "nobody": not sum(counts.values()),
        "subscribe_url": manage.subscribe_url(which),
    }
    return _table(request, asked, context, of_a_list=True)


@doors.shows()
def everybody(request: Any) -> HttpResponse:
    """Every person in the workspace."""
    workspace = request.member.workspace
    asked = filters.read(request.GET, workspace)
    return _table(request, asked, {"section": "people"}, of_a_list=asked.wanted.list is not None)


def _table(request: Any, asked: Filters, more: dict[str, Any], *, of_a_list: bool) -> HttpResponse:
    fault, page = "", Page([])
    try:
        page = _page(request, asked)
    except Invalid as wrong:
        fault = str(wrong)
    lists = list(access.lists(request.member.workspace)[:SHOWN_LISTS])
    context = {
        "page": page,
        "asked": asked,
        "q": asked.wanted.q,
        "counts": None,
        "everybody": None,
        "status": asked.wanted.status,
        "sort": asked.sort,
        "statuses": Status.choices,
        "lists": lists,
        "filter": filters.kept(request.GET),
        "fault": fault,
        "columns": filters.columns(request.user, of_a_list=of_a_list),
        "offered": filters.offered(of_a_list=of_a_list),
        "of_a_list": asked.wanted.list,
        "nobody": not (page.rows or fault or request.GET),
        **more,
    }
    return render(request, "web/people/index.html", context, status=400 if fault else 200)


def _page(request: Any, asked: Filters) -> Page:
    after, before = (
        ids.private("subscriber", request.GET[name]) if request.GET.get(name) else None
        for name in ("after", "before")
    )
    found = find.page(asked.wanted, after=after, before=before)
    return Page(
        _rows(found.people, asked.wanted.list),
        newer=_link(request, "before", found.before),
        older=_link(request, "after", found.after),
        cut=found.cut,
    )


def _link(request: Any, side: str, person: int | None) -> str:
    return "" if person is None else link(request, **{side: ids.public("subscriber", person)})


def _rows(keys: list[int], which: MailingList | None) -> list[Subscriber]:
    """People in this order, each with `hers`: her subscriptions, or the one to this list."""
    people = Subscriber.objects.defer("fields").in_bulk(keys)
    shown = [people[key] for key in keys if key in people]
    found = Subscription.objects.filter(subscriber__in=keys, list__archived_at__isnull=True)
    hers: dict[int, list[Subscription]] = {}
    for one in found.select_related("list").order_by("list__name"):
        hers.setdefault(one.subscriber_id, []).append(one)
    for person in shown:
        every = hers.get(person.pk, [])
        person.hers = every  # type: ignore[attr-defined]
        person.here = next(  # type: ignore[attr-defined]
            (one for one in every if which is not None and one.list_id == which.pk), None
        )
    return shown


@doors.deed(Role.VIEWER)
def columns(request: Any) -> HttpResponse:
    """Remembers which columns this person wants to see."""
    of_a_list = request.POST.get("of_a_list") == "yes"
    filters.choose(request.user, request.POST.getlist("column"), of_a_list=of_a_list)
    return redirect(filters.back(request, reverse("web:people")))


@doors.shows(Role.ADMIN)
def export(request: Any) -> StreamingHttpResponse:
    """Everybody who fits the filters, as CSV, while it is read."""
    asked = filters.read(request.GET, request.member.workspace)
    name = "people" if asked.wanted.list is None else "subscribers"
    answer = StreamingHttpResponse(
        csvs.lines(csvs.people(asked.wanted)), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer
