"""A workspace's colour and logo in templates. `{% load brand %}`."""

from __future__ import annotations

from django import template

from mailape.accounts.models import Workspace
from mailape.web import brand

register = template.Library()


@register.filter
def logo(workspace: Workspace | None) -> str:
    """Where the workspace's logo is; empty where there is none."""
    return brand.logo_url(workspace or None)


@register.filter
def colour_sheet(workspace: Workspace | None) -> str:
    """The style sheet with the workspace's colour; empty for MailApe's own."""
    return brand.sheet_url(workspace or None)
