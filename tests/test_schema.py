"""Schemathesis makes up requests from the description and sends them to the real application.

No answer may be a server error, and each must be one that the description allows. A longer run:

    SCHEMA_EXAMPLES=1000 .venv/bin/python -m pytest tests/test_schema.py -n 2
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings

from mailape.api.schema import openapi
from mailape.campaigns import write
from mailape.config.wsgi import application
from mailape.lists import subscribe, suppress
from mailape.lists.models import MailingList, Method
from mailape.lists.subscribe import Origin
from tests.house.people import Person

pytestmark = pytest.mark.django_db

# More where a value that does not fit its column is an error of the database.
USUAL = "6" if django_settings.EMBEDDED_DATABASE else "12"
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", USUAL))
schema = schemathesis.openapi.from_dict(openapi())
schema.app = application
# "Whatever fits the description is taken" cannot hold: which ids and cursors there are, and what
# an address is, no description says.
EXCLUDED = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]


@pytest.fixture
def known(alice: Person, a_list: MailingList) -> dict[str, str]:
    """Ids of what is there, by the name that paths give them."""
    origin = Origin(Method.API)
    subscription, _ = subscribe.add(a_list, "eve@example.org", "Eve", origin, confirmed=True)
    row, _ = suppress.suppress(alice.workspace, "example.net")
    draft = write.create(
        alice.workspace, alice.user, write.Draft(lists=[a_list], subject="Spring", body="Text")
    )
    return {
        "list_id": a_list.public_id,
        "subscriber_id": subscription.subscriber.public_id,
        "message_id": draft.public_id,
        "suppression_id": row.public_id,
    }


@pytest.fixture
def unlimited(settings: Any) -> None:
    """No limit of calls stands in the way of making them up."""
    settings.API_RATE_USER = settings.API_RATE_ANON = "1000000/s"


@pytest.fixture
def in_one_transaction() -> Iterator[None]:
    """The application's requests see the test's transaction, as Django's own test client does it:
    a real server would end the connection, and with it the transaction, between requests."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("ids", ["guessed", "known"])
@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_the_api_and_every_answer_is_described(
    case: schemathesis.Case,
    ids: str,
    alice: Person,
    known: dict[str, str],
    unlimited: None,
    in_one_transaction: None,
) -> None:
    if ids == "known":
        case.path_parameters = {name: known[name] for name in case.path_parameters}
    case.call_and_validate(
        headers={"Authorization": f"Bearer {alice.token()}"}, excluded_checks=EXCLUDED
    )
