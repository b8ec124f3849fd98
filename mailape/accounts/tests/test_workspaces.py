"""What a workspace says of itself."""

import pytest

from mailape.accounts import workspaces
from mailape.accounts.models import Workspace
from mailape.core.errors import Invalid


@pytest.fixture
def orchard(db: None) -> Workspace:
    return Workspace.objects.create(name="Orchard")


def test_name_and_postal_address_are_changed(orchard: Workspace) -> None:
    workspaces.change(orchard, name=" The  Orchard ", postal_address="Gate 1\r\n\r\n12 Lane\n")
    orchard.refresh_from_db()
    assert (orchard.name, orchard.postal_address) == ("The Orchard", "Gate 1\n12 Lane")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", {"name": " \t ", "postal_address": ""}),
        ("postal_address", {"name": "Orchard", "postal_address": "\n".join(["x" * 101] * 3)}),
    ],
)
def test_what_will_not_do_is_refused_and_changes_nothing(
    orchard: Workspace, field: str, values: dict[str, str]
) -> None:
    with pytest.raises(Invalid) as refused:
        workspaces.change(orchard, **values)
    assert refused.value.field == field
    orchard.refresh_from_db()
    assert (orchard.name, orchard.postal_address) == ("Orchard", "")
