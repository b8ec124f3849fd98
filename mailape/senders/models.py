"""Sender (a From identity), DkimKey and DomainLook (how its domain stands), TransportAccount."""

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


class DkimAlgorithm(models.TextChoices):
    RSA = "rsa-2048", _("RSA, 2048 bits")
    ED25519 = "ed25519", _("Ed25519")


class DkimState(models.TextChoices):
    """What a key does. One that waits becomes the one that signs, and ends as retired."""

    WAITING = "waiting", _("Waits for its DNS record")
    SIGNS = "signs", _("Signs")
    RETIRED = "retired", _("Retired")


class DkimFound(models.TextChoices):
    """What the last look into the DNS said of a key's record."""

    NOT_LOOKED = "", _("Not looked up yet")
    RIGHT = "right", _("The record is there")
    MISSING = "missing", _("There is no record yet")
    OTHER = "other", _("There is a record, but not this one")
    NO_ANSWER = "no_answer", _("The DNS does not answer")


class DkimKey(models.Model):
    """A key with which mail from addresses of one domain is signed.

    Those without a workspace sign what comes from the instance's own address. The private key is
    sealed (`core.vault`), and emptied when the key is retired; of the mails that are on their way
    then only the record in the DNS is needed.
    """

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, null=True, blank=True, related_name="dkim_keys"
    )
    domain = models.CharField(max_length=253, help_text="as A-label, in lower case")
    selector = models.CharField(max_length=63)
    algorithm = models.CharField(max_length=8, choices=DkimAlgorithm.choices)
    private_key = models.BinaryField(help_text="sealed; empty when retired")
    public_key = models.TextField(help_text="base64, as in the DNS record")
    state = models.CharField(
        max_length=7, choices=DkimState.choices, default=DkimState.WAITING, db_index=True
    )
    wanted_at = models.DateTimeField(null=True, db_index=True, help_text="a look is wanted since")
    looked_at = models.DateTimeField(null=True)
    found = models.CharField(
        max_length=9, choices=DkimFound.choices, blank=True, default=DkimFound.NOT_LOOKED
    )
    by_word = models.BooleanField(default=False, help_text="switched on without a look")
    created_at = models.DateTimeField(default=clock.now)
    signs_since = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["domain", "selector"], name="one_dkim_selector"),
            models.UniqueConstraint(
                fields=["workspace", "domain", "algorithm"],
                condition=models.Q(state="signs"),
                name="one_dkim_key_signs",
            ),
        ]

    @property
    def public_id(self) -> str:
        return ids.public("dkim", self.pk)


class DomainLook(models.Model):
    """What the DNS last said of a domain: the same for every workspace."""

    domain = models.CharField(max_length=253, unique=True, help_text="as A-label, in lower case")
    wanted_at = models.DateTimeField(null=True, db_index=True, help_text="a look is wanted since")
    looked_at = models.DateTimeField(null=True)
    answered = models.BooleanField(default=False, help_text="else the DNS could not be asked")
    takes_mail = models.BooleanField(default=False)
    spf = models.CharField(max_length=500, blank=True)
    dmarc = models.CharField(max_length=500, blank=True)
    dmarc_at = models.CharField(max_length=253, blank=True, help_text="the domain that has it")


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
    connections = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="the most at once; null: as many as are of use, up to 16"
    )
    mails_per_connection = models.PositiveIntegerField(null=True, blank=True)
    relay_signs = models.BooleanField(
        default=False, db_default=False, help_text="DKIM is the server’s affair"
    )
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "server"],
                condition=models.Q(workspace__isnull=True),
                name="one_instance_transport",
            )
        ]
