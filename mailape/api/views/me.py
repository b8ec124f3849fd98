"""Who calls, in which workspace, and the senders that her messages may name."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from mailape.accounts.models import Role
from mailape.api import pages
from mailape.api.base import Endpoint
from mailape.api.schema import described
from mailape.api.serialisers import MeShown, SenderShown
from mailape.senders import access


class Me(Endpoint):
    roles = {"GET": Role.VIEWER}

    @described("get_me", {200: MeShown})
    def get(self, request: Request) -> Response:
        """Shows who calls.

        The user, the workspace and the role that this token or session has.
        """
        return Response(MeShown(self.member).data)


class Senders(Endpoint):
    roles = {"GET": Role.VIEWER}
    parameters = pages.PARAMETERS

    @described("list_senders", {200: SenderShown}, page=True)
    def get(self, request: Request) -> Response:
        """Lists senders.

        Those that a message may name, oldest first.
        """
        page = pages.Page(request, access.senders(self.workspace), "sender", oldest_first=True)
        return Response(page.answer(SenderShown(page.rows, many=True).data))
