"""A workspace with a list, made by the deeds themselves."""

import pytest

from mailape.accounts.models import Workspace
from mailape.lists import manage
from mailape.lists.models import MailingList, Method
from mailape.lists.subscribe import Origin

FORM = Origin(Method.FORM, source="/subscribe/x", wording="Yes, send me the letter.")
LINK = Origin(Method.CONFIRMATION, source="/confirm/")
OWNER = Origin(Method.OWNER, source="alice@example.org")


@pytest.fixture
def letter(db: None) -> MailingList:
    return manage.create(Workspace.objects.create(name="Orchard"), "Weekly letter")
