"""Lists and the people on them."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from mailape.accounts.models import Role
from mailape.api import pages
from mailape.api.base import Endpoint, idempotent
from mailape.api.links import link
from mailape.api.schema import choice, described, search
from mailape.api.serialisers import (
    ListGiven,
    ListShown,
    SubscriberGiven,
    SubscriptionShown,
)
from mailape.core.errors import Invalid
from mailape.lists import access, manage, numbers, people, subscribe
from mailape.lists.models import MailingList, Method, Status
from mailape.lists.search import Wanted
from mailape.lists.subscribe import Origin


def shown(lists: list[MailingList]) -> list[dict[str, Any]]:
    """Lists as the API shows them, with their numbers from one query."""
    counts = numbers.counts(lists)
    for one in lists:
        one.counts = counts[one.pk]  # type: ignore[attr-defined]
        one.subscribe_url = manage.subscribe_url(one)  # type: ignore[attr-defined]
    return list(ListShown(lists, many=True).data)


class Lists(Endpoint):
    roles = {"GET": Role.VIEWER, "POST": Role.ADMIN}
    parameters = pages.PARAMETERS

    @described("list_lists", {200: ListShown}, page=True)
    def get(self, request: Request) -> Response:
        """Lists the lists.

        Oldest first; archived ones are left out.
        """
        page = pages.Page(request, access.lists(self.workspace), "list", oldest_first=True)
        return Response(page.answer(shown(page.rows)))

    @described("make_list", {201: ListShown}, takes=ListGiven)
    @idempotent
    def post(self, request: Request) -> Response:
        """Makes a list."""
        made = manage.create(self.workspace, **self.given(ListGiven))
        where = {"Location": link("list", list_id=made.public_id)}
        return Response(shown([made])[0], 201, headers=where)


class OneList(Endpoint):
    roles = {"GET": Role.VIEWER, "PATCH": Role.ADMIN, "DELETE": Role.ADMIN}

    def look_up(self, list_id: str) -> None:  # type: ignore[override]
        self.list = access.a_list(self.workspace, list_id)

    @described("get_list", {200: ListShown})
    def get(self, request: Request, list_id: str) -> Response:
        """Shows a list."""
        return Response(shown([self.list])[0])

    @described("change_list", {200: ListShown}, takes=ListGiven)
    def patch(self, request: Request, list_id: str) -> Response:
        """Changes a list.

        What is not given stays as it is.
        """
        manage.change(self.list, **self.given(ListGiven, partial=True))
        return Response(shown([self.list])[0])

    @described("archive_list", {204: None})
    def delete(self, request: Request, list_id: str) -> Response:
        """Archives a list.

        It is out of sight and takes no more sign-ups; its records stay.
        """
        manage.archive(self.list)
        return Response(status=204)


class ListSubscribers(Endpoint):
    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}
    parameters = pages.PARAMETERS | {"status", "q"}

    def look_up(self, list_id: str) -> None:  # type: ignore[override]
        self.list = access.a_list(self.workspace, list_id)

    @described(
        "list_subscribers",
        {200: SubscriptionShown},
        page=True,
        parameters=(
            choice("status", Status.values, "only those"),
            search(),
        ),
    )
    def get(self, request: Request, list_id: str) -> Response:
        """Lists the people on a list.

        Who came last is first.
        """
        status, q = _status(request), request.query_params.get("q", "")
        page: pages.Shown
        if q:
            page = pages.Found(request, Wanted(self.workspace.pk, self.list, status, q))
        else:
            page = pages.Page(request, people.on_list(self.list, status=status), "subscription")
        return Response(page.answer(SubscriptionShown(page.rows, many=True).data))

    @described(
        "add_subscriber",
        {201: SubscriptionShown, 200: SubscriptionShown},
        takes=SubscriberGiven,
        conflicts="She left this list, or her address is suppressed.",
    )
    @idempotent
    def post(self, request: Request, list_id: str) -> Response:
        """Adds a person to a list.

        201 where she is new here or begins again; 200 and unchanged where she is on it already.
        Without `confirmed` she gets a confirmation mail. One who left is a 409 unless
        `resubscribe` is true; so is an address that is suppressed.
        """
        given = self.given(SubscriberGiven)
        confirmed = given.get("confirmed", False)
        subscription, new = subscribe.add(
            self.list,
            given["email"],
            given.get("name", ""),
            Origin(Method.OWNER if confirmed else Method.API, source=self.caller.source),
            confirmed=confirmed,
            resubscribe=given.get("resubscribe", False),
        )
        where = {"Location": link("subscriber", subscriber_id=subscription.subscriber.public_id)}
        return Response(SubscriptionShown(subscription).data, 201 if new else 200, headers=where)


class OneSubscription(Endpoint):
    roles = {"DELETE": Role.EDITOR}

    def look_up(self, list_id: str, subscriber_id: str) -> None:  # type: ignore[override]
        on = access.a_list(self.workspace, list_id)
        self.subscription = access.subscription(on, subscriber_id)

    @described("end_subscription", {204: None})
    def delete(self, request: Request, list_id: str, subscriber_id: str) -> Response:
        """Ends a subscription.

        The person stays, and so do her other lists. A second time changes nothing.
        """
        subscribe.unsubscribe(
            self.subscription.subscriber_id,
            [self.subscription.list_id],
            Origin(Method.API, source=self.caller.source),
        )
        return Response(status=204)


def _status(request: Request) -> str:
    wanted = request.query_params.get("status")
    if wanted is not None and wanted not in Status.values:
        raise Invalid(f"status is one of {', '.join(Status.values)}.", "status")
    return wanted or ""
