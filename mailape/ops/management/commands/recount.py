"""`mailape recount`: compares the kept numbers of every list with its subscriptions, mends them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from mailape.lists import numbers
from mailape.lists.models import MailingList
from mailape.ops.command import Command as Plain


class Command(Plain):
    help = "Compares the kept numbers of every list with its subscriptions and mends them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        looked, wrong = 0, []
        for one in MailingList.objects.order_by("pk").iterator():
            looked += 1
            if lacked := numbers.mend(one):
                wrong.append({"list": one.public_id, "name": one.name, "mended_by": lacked})
        lines = [f"{one['name']}: {_words(one['mended_by'])}" for one in wrong]
        lines.append(f"{looked} lists were counted, {len(wrong)} of them had wrong numbers.")
        self.show("\n".join(lines), {"lists": looked, "mended": wrong}, as_json=options["json"])


def _words(lacked: Any) -> str:
    return ", ".join(f"{status} {number:+}" for status, number in lacked.items())
