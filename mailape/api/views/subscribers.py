"""One person: what is known of her, her subscriptions, and her end."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from mailape.accounts.models import Role
from mailape.api.base import Endpoint
from mailape.api.schema import described
from mailape.api.serialisers import SubscriberChange, SubscriberShown
from mailape.lists import access, people
from mailape.privacy.erase import erase


class OneSubscriber(Endpoint):
    roles = {"GET": Role.VIEWER, "PATCH": Role.EDITOR, "DELETE": Role.ADMIN}

    def look_up(self, subscriber_id: str) -> None:  # type: ignore[override]
        self.subscriber = access.subscriber(self.workspace, subscriber_id)

    @described("get_subscriber", {200: SubscriberShown})
    def get(self, request: Request, subscriber_id: str) -> Response:
        """Shows a person.

        With her subscriptions; those to archived lists are left out.
        """
        return self._shown()

    @described("change_subscriber", {200: SubscriberShown}, takes=SubscriberChange)
    def patch(self, request: Request, subscriber_id: str) -> Response:
        """Changes a person.

        What is not given stays as it is. Her address cannot be changed: another is another person.
        """
        people.change(self.subscriber, **self.given(SubscriberChange))
        return self._shown()

    @described("erase_subscriber", {204: None})
    def delete(self, request: Request, subscriber_id: str) -> Response:
        """Erases a person.

        A keyed hash stays in the suppressions, so that no import takes her in again.
        """
        erase(self.subscriber)
        return Response(status=204)

    def _shown(self) -> Response:
        person = self.subscriber
        person.seen = access.subscriptions(person)  # type: ignore[attr-defined]
        return Response(SubscriberShown(person).data)
