"""The default sender of a workspace."""

import pytest

from mailape.accounts.models import Workspace
from mailape.core.errors import Invalid
from mailape.senders import manage
from mailape.senders.models import Sender


@pytest.fixture
def orchard(db: None) -> Workspace:
    return Workspace.objects.create(name="Orchard")


def test_the_first_one_is_made_and_then_changed(orchard: Workspace) -> None:
    manage.set_default(orchard, name="Mara", email="mara@example.org")
    manage.set_default(orchard, name="Mara\r\nBcc: x", email="m@example.org", reply_to="r@x.org")
    only = Sender.objects.get(workspace=orchard)
    assert (only.name, only.email, only.reply_to) == ("Mara Bcc: x", "m@example.org", "r@x.org")
    assert only.is_default


def test_another_workspaces_sender_is_left_alone(orchard: Workspace) -> None:
    other = manage.set_default(Workspace.objects.create(name="B"), name="B", email="b@example.org")
    manage.set_default(orchard, name="Mara", email="mara@example.org")
    other.refresh_from_db()
    assert other.email == "b@example.org"


@pytest.mark.parametrize("field", ["email", "reply_to"])
def test_a_wrong_address_is_refused_at_its_field(orchard: Workspace, field: str) -> None:
    given = {"email": "mara@example.org", "reply_to": "", field: "no address"}
    with pytest.raises(Invalid) as refused:
        manage.set_default(orchard, name="Mara", **given)
    assert refused.value.field == field
    assert not Sender.objects.exists()
