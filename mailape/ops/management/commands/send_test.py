"""`mailape send-test`: one mail through the real path, and what the server answered."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from mailape.core import signs
from mailape.delivery import notices
from mailape.delivery.models import State, SubscriberMessage
from mailape.ops.command import Command as Plain


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 3600):
        raise ArgumentTypeError("must be a number of seconds from 1 to 3600")
    return int(text)


class Command(Plain):
    help = "Sends one mail the way that all go, and says what the server answered."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="who gets it")
        parser.add_argument("--within", type=_seconds, default=30, help="seconds to wait (30)")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        delivery = notices.send_test(options["email"])
        if not notices.wait_for(delivery, options["within"]):
            raise CommandError(_nobody(options["within"]))
        delivery.refresh_from_db()
        if delivery.state != State.SENT:
            raise CommandError(_not_sent(delivery))
        where = "" if settings.SMTP_URL else " It is in the Outbox; no SMTP_URL is set."
        self.show(
            f"Sent to {delivery.to_address}: {delivery.answer or 'taken'}.{where}",
            {"to": delivery.to_address, "state": delivery.state, "answer": delivery.answer},
            as_json=options["json"],
        )


def _nobody(seconds: int) -> str:
    served = {queue for one in signs.alive("worker") for queue in one.queues.split(",")}
    if "wake" in served:
        return f"The mail is queued and was not tried within {seconds} s: `mailape doctor`."
    return "The mail is queued, but no worker runs: start `mailape up` or `mailape worker`."


def _not_sent(delivery: SubscriberMessage) -> str:
    said = delivery.answer or delivery.reason or "the server said nothing"
    again = " It is tried again." if delivery.state == State.DEFERRED else ""
    return f"The mail to {delivery.to_address} is {delivery.state}: {said}.{again}"
