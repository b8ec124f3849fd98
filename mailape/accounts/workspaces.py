"""Changing what a workspace says of itself."""

from __future__ import annotations

from mailape.accounts.models import Workspace
from mailape.accounts.users import clean_name
from mailape.core.errors import Invalid


def change(workspace: Workspace, *, name: str, postal_address: str) -> None:
    """Sets name and postal address, which stand in every newsletter. Raises Invalid."""
    cleaned = clean_name(name)
    if not cleaned:
        raise Invalid("A workspace needs a name: readers see it.", "name")
    lines = [clean_name(line) for line in postal_address.splitlines()]
    postal = "\n".join(line for line in lines if line)
    if len(postal) > 300:
        raise Invalid("A postal address may have at most 300 characters.", "postal_address")
    workspace.name, workspace.postal_address = cleaned, postal
    workspace.save(update_fields=["name", "postal_address"])
