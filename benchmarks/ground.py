"""The ground that benchmarks of the whole stand on: an instance on real servers, with readers."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.house import servers
from tests.house.instances import Instance

if TYPE_CHECKING:
    from mailape.lists.models import MailingList

DATABASES = ("sqlite", "postgres")
LOT = 5_000


@contextlib.contextmanager
def instance(database: str, keep: Path | None = None, **variables: str) -> Iterator[Instance]:
    """A migrated instance: SQLite and the embedded broker, or PostgreSQL and Redis started for it.

    Django of this process is set up on the same database. At the end nothing of it is left, unless
    it is to stand in the folder `keep` and stay there.
    """
    with contextlib.ExitStack() as stack:
        if keep is None:
            folder = Path(tempfile.mkdtemp(prefix="mailape-benchmark-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        else:
            folder = keep.resolve()
            folder.mkdir(parents=True, exist_ok=True)
        if database == "postgres":
            cluster = folder / "cluster" if keep else None
            started = stack.enter_context(servers.production_stack(cluster))
            variables = {**started.variables(), **variables}
        made = Instance(folder, **variables)
        stack.callback(made.kill)
        made.run("migrate", within=1_800)
        os.environ.update(made.variables)
        os.environ["DJANGO_SETTINGS_MODULE"] = "mailape.config.settings"
        import django

        django.setup()
        from django.db import connection

        stack.callback(connection.close)
        yield made


def readers(count: int) -> MailingList:
    """A list with `count` confirmed readers in a workspace with a sender."""
    from mailape.accounts.models import Workspace
    from mailape.lists import numbers
    from mailape.lists.models import MailingList, Status, Subscriber, Subscription
    from mailape.senders.models import Sender

    workspace = Workspace.objects.create(name="Benchmark", postal_address="1 Road, Town")
    Sender.objects.create(
        workspace=workspace, name="Ann", email="ann@sender.example", is_default=True
    )
    made = MailingList.objects.create(workspace=workspace, name="Weekly letter")
    for first in range(0, count, LOT):
        people = Subscriber.objects.bulk_create(
            Subscriber(
                workspace=workspace,
                email=f"reader{n}@example{n % 50}.org",
                email_key=f"reader{n}@example{n % 50}.org",
                domain=f"example{n % 50}.org",
                name=f"Reader Number{n}",
            )
            for n in range(first, min(first + LOT, count))
        )
        Subscription.objects.bulk_create(
            Subscription(list=made, subscriber=person, status=Status.CONFIRMED) for person in people
        )
    numbers.mend(made)
    return made


def newsletter(to: MailingList) -> object:
    """A draft to that list, as people write them."""
    from mailape.campaigns import write

    body = (
        "# News of the week\n\nDear {{ subscriber.first_name | default: 'reader' }},\n\n"
        + "Here is *what happened*, in [one page](https://example.org/news?e="
        + "{{ subscriber.email }}).\n\n" * 1
        + "\n\n".join(f"Paragraph {n}: " + "some words of news " * 12 for n in range(8))
    )
    draft = write.Draft(lists=[to], subject="News for {{ subscriber.first_name }}", body=body)
    return write.create(to.workspace, None, draft)
