"""Newsletters: written, sent, paused, resumed, cancelled; and what became of each mail."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from mailape.accounts.models import Role, Workspace
from mailape.api import pages
from mailape.api.base import Endpoint, idempotent
from mailape.api.links import link
from mailape.api.schema import choice, described, search
from mailape.api.serialisers import (
    DeliveryShown,
    MessageChange,
    MessageGiven,
    MessageRow,
    MessageShown,
    Nothing,
    SendGiven,
)
from mailape.campaigns import access, dispatch, write
from mailape.campaigns.models import Message
from mailape.campaigns.schedule import Moment
from mailape.campaigns.write import Draft
from mailape.core.errors import Invalid, NotFound
from mailape.delivery import access as deliveries
from mailape.delivery import doubt, tally, try_again
from mailape.delivery.models import State
from mailape.lists import access as lists
from mailape.senders import access as senders


def shown(message: Message) -> dict[str, Any]:
    """A message as the API shows it, with its deliveries' numbers."""
    message.counts = tally.counts(message)  # type: ignore[attr-defined]
    return dict(MessageShown(message).data)


def draft(workspace: Workspace, given: dict[str, Any]) -> Draft:
    """What a body says about a draft. Raises Invalid for ids of no list or sender here."""
    fields: dict[str, Any] = {
        name: given[name] for name in ("subject", "preview_text", "body", "format") if name in given
    }
    if "lists" in given:
        fields["lists"] = [
            _in_body(lists.a_list, workspace, one, "lists") for one in given["lists"]
        ]
    if "sender" in given:
        fields["sender"] = _in_body(senders.sender, workspace, given["sender"], "sender")
    return Draft(**fields)


def _in_body(door: Any, workspace: Workspace, public_id: str, field: str) -> Any:
    # A 404 would say that the address is wrong; it is the body.
    try:
        return door(workspace, public_id)
    except NotFound as fault:
        raise Invalid(f"{fault} ({public_id})", field) from None


class Messages(Endpoint):
    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}
    parameters = pages.PARAMETERS

    @described("list_messages", {200: MessageRow}, page=True)
    def get(self, request: Request) -> Response:
        """Lists messages.

        Newsletters, newest first, without their texts and counts.
        """
        found = access.newsletters(self.workspace).defer("body", "audience_frozen")
        page = pages.Page(request, found, "message")
        return Response(page.answer(MessageRow(page.rows, many=True).data))

    @described("make_message", {201: MessageShown}, takes=MessageGiven)
    @idempotent
    def post(self, request: Request) -> Response:
        """Makes a draft."""
        made = write.create(
            self.workspace, self.member.user, draft(self.workspace, self.given(MessageGiven))
        )
        where = {"Location": link("message", message_id=made.public_id)}
        return Response(shown(made), 201, headers=where)


class _AboutMessage(Endpoint):
    """What is about one message."""

    def look_up(self, message_id: str) -> None:  # type: ignore[override]
        self.message = access.newsletter(self.workspace, message_id)


class OneMessage(_AboutMessage):
    roles = {"GET": Role.VIEWER, "PATCH": Role.EDITOR, "DELETE": Role.EDITOR}

    @described("get_message", {200: MessageShown})
    def get(self, request: Request, message_id: str) -> Response:
        """Shows a message.

        With its status and the number of its deliveries in each state.
        """
        return Response(shown(self.message))

    @described(
        "change_message",
        {200: MessageShown},
        takes=MessageChange,
        conflicts="It is no draft any more, or somebody else changed it meanwhile.",
    )
    def patch(self, request: Request, message_id: str) -> Response:
        """Changes a draft.

        What is not given stays as it is.
        """
        given = self.given(MessageChange, partial=True)
        version = given.pop("version", None)
        change, editor = draft(self.workspace, given), self.member.user
        return Response(shown(write.edit(self.message, change, version, editor)))

    @described("remove_message", {204: None}, conflicts="It is on its way.")
    def delete(self, request: Request, message_id: str) -> Response:
        """Removes a message.

        It is out of sight; the record of what was sent stays.
        """
        write.remove(self.message)
        return Response(status=204)


class Send(_AboutMessage):
    roles = {"POST": Role.EDITOR}

    @described(
        "send_message",
        {202: MessageShown},
        takes=SendGiven,
        conflicts="It is no draft, or somebody changed it meanwhile.",
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Sends a message.

        To everyone who is confirmed on its lists when it is built: now, or `at` a time to come.
        Until a worker begins with it, it can be taken back.
        """
        given = self.given(SendGiven)
        at = Moment(given["at"], "UTC") if "at" in given else None
        return Response(shown(dispatch.send(self.message, given.get("version"), at=at)), 202)


class TakeBack(_AboutMessage):
    roles = {"POST": Role.EDITOR}

    @described(
        "take_message_back",
        {202: MessageShown},
        takes=Nothing,
        conflicts="It is not queued, or a worker has begun with it.",
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Takes a message back.

        It is a draft again and nothing of it was sent; its version is a new one.
        """
        self.given(Nothing)
        return Response(shown(dispatch.take_back(self.message)), 202)


class Pause(_AboutMessage):
    roles = {"POST": Role.EDITOR}

    @described(
        "pause_message",
        {202: MessageShown},
        takes=Nothing,
        conflicts="It is neither queued nor sending.",
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Pauses a message.

        Nothing goes out after 2 seconds; the rest stays queued.
        """
        self.given(Nothing)
        return Response(shown(dispatch.pause(self.message)), 202)


class Resume(_AboutMessage):
    roles = {"POST": Role.EDITOR}

    @described("resume_message", {202: MessageShown}, takes=Nothing, conflicts="It is not paused.")
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Resumes a message.

        It goes on where the pause stopped it.
        """
        self.given(Nothing)
        return Response(shown(dispatch.resume(self.message)), 202)


class Cancel(_AboutMessage):
    roles = {"POST": Role.EDITOR}

    @described(
        "cancel_message",
        {202: MessageShown},
        takes=Nothing,
        conflicts="It is not queued, sending or paused.",
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Cancels a message.

        For good; what is not out yet is skipped.
        """
        self.given(Nothing)
        return Response(shown(dispatch.cancel(self.message)), 202)


class ResendUnknown(_AboutMessage):
    roles = {"POST": Role.EDITOR}

    @described(
        "resend_unknown",
        {202: MessageShown},
        takes=Nothing,
        conflicts="None is in doubt, or the message was cancelled or has failed.",
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Sends what is in doubt again.

        The mails whose line broke after they were out and before the server answered (`unknown`).
        They may have arrived: who got hers gets it twice. Those that were left stay as they are.
        """
        self.given(Nothing)
        doubt.send_again(self.message)
        return Response(shown(self.message), 202)


class LeaveUnknown(_AboutMessage):
    roles = {"POST": Role.EDITOR}

    @described(
        "leave_unknown",
        {202: MessageShown},
        takes=Nothing,
        conflicts="None is in doubt.",
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Leaves what is in doubt as it is.

        For good: their state stays `unknown`, and their reason says that a person left them.
        """
        self.given(Nothing)
        doubt.leave(self.message)
        return Response(shown(self.message), 202)


class RetryFailed(_AboutMessage):
    roles = {"POST": Role.EDITOR}

    @described(
        "retry_failed",
        {202: MessageShown},
        takes=Nothing,
        conflicts="None failed that may be tried, or the message was cancelled or has failed.",
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Tries what has failed again.

        Each as the same mail. Who left, is suppressed or was erased since is not tried.
        """
        self.given(Nothing)
        try_again.again(self.message)
        return Response(shown(self.message), 202)


class Deliveries(_AboutMessage):
    roles = {"GET": Role.VIEWER}
    parameters = pages.PARAMETERS | {"state", "q"}

    @described(
        "list_deliveries",
        {200: DeliveryShown},
        page=True,
        parameters=(
            choice("state", State.values, "only those"),
            search(),
        ),
    )
    def get(self, request: Request, message_id: str) -> Response:
        """Lists deliveries.

        One for each person, in the order in which they were made.
        """
        found = deliveries.of_message(
            self.message, state=_state(request), q=request.query_params.get("q", "")
        )
        page = pages.Page(request, found, "delivery", oldest_first=True)
        return Response(page.answer(DeliveryShown(page.rows, many=True).data))


def _state(request: Request) -> str:
    wanted = request.query_params.get("state")
    if wanted is not None and wanted not in State.values:
        raise Invalid(f"state is one of {', '.join(State.values)}.", "state")
    return wanted or ""
