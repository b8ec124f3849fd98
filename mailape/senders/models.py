"""Sender (a From identity) and TransportAccount (a way out)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailape.accounts.models import Workspace
from mailape.core import clock, ids


class Sender(models.Model):
    """A From identity of a workspace: a display name and an address."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="senders")
    name = models.CharField(max_length=120, blank=True)
    email = models.CharField(max_length=320)
    reply_to = models.CharField(max_length=320, blank=True)
    is_default = models.BooleanField(default=False)
    archived_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"],
                condition=models.Q(is_default=True),
                name="one_default_sender",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email

    @property
    def public_id(self) -> str:
        return ids.public("sender", self.pk)


class TransportKind(models.TextChoices):
    OUTBOX = "outbox", _("Outbox")
    SMTP = "smtp", _("SMTP server")


class TransportAccount(models.Model):
    """A way out. Those without a workspace are the instance's; their secrets stay in SMTP_URL.

    Limits are null until someone sets them: no rate limit by default.
    """

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, null=True, blank=True, related_name="transport_accounts"
    )
    kind = models.CharField(max_length=16, choices=TransportKind.choices)
    name = models.CharField(max_length=120)
    server = models.CharField(max_length=300, blank=True, help_text="host:port, without secrets")
    per_second = models.PositiveIntegerField(null=True, blank=True)
    per_hour = models.PositiveIntegerField(null=True, blank=True)
    connections = models.PositiveSmallIntegerField(default=8)
    mails_per_connection = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "server"],
                condition=models.Q(workspace__isnull=True),
                name="one_instance_transport",
            )
        ]
