"""User, SignedIn, Workspace, Logo, Membership, Invitation, ApiToken."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from mailape.core import address, clock, ids


class Users(BaseUserManager["User"]):
    """Users are found by the key of their address, so that letter case never makes a second one."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email_key=address.parse(username or "").key)


class User(AbstractBaseUser):
    """A person who works here and signs in by e-mail address."""

    email = models.CharField(max_length=320)
    email_key = models.CharField(max_length=320, unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_admin = models.BooleanField(
        default=False, help_text="may see the instance, not only a workspace"
    )
    is_active = models.BooleanField(default=True)
    new_email = models.CharField(
        max_length=320, blank=True, help_text="asked for, until its mail is answered"
    )
    language = models.CharField(max_length=5, blank=True, help_text="empty: as the workspace's")
    time_zone = models.CharField(max_length=64, blank=True, help_text="an IANA name; empty: UTC")
    theme = models.CharField(max_length=5, blank=True, help_text="light, dark; empty: the system's")
    created_at = models.DateTimeField(default=clock.now)

    USERNAME_FIELD = "email_key"
    EMAIL_FIELD = "email"
    objects: ClassVar[Users] = Users()

    def __str__(self) -> str:
        return self.email

    @property
    def public_id(self) -> str:
        return ids.public("user", self.pk)


class SignedIn(models.Model):
    """A browser that is signed in: what its person needs to know it by, and the session's key.

    The session itself is Django's; this row only lists it and ends with it.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="signed_in")
    session_key = models.CharField(max_length=40, unique=True)
    browser = models.CharField(max_length=300, blank=True, help_text="its User-Agent header")
    network_address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    seen_at = models.DateTimeField(default=clock.now)

    @property
    def public_id(self) -> str:
        return ids.public("session", self.pk)


class Workspace(models.Model):
    """A publication or organisation: everything but users belongs to one."""

    name = models.CharField(max_length=120)
    postal_address = models.CharField(max_length=300, blank=True)
    language = models.CharField(max_length=5, blank=True, help_text="of its members and lists")
    accent = models.CharField(max_length=7, blank=True, help_text="#rrggbb, on its public pages")
    logo_digest = models.CharField(
        max_length=64, blank=True, help_text="of its Logo, so that pages need not fetch that"
    )
    logo_in_mails = models.BooleanField(default=True, help_text="where there is a logo")
    created_at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.public("workspace", self.pk)


class Logo(models.Model):
    """A workspace's picture, written by `core.images`: small, and part of every backup."""

    workspace = models.OneToOneField(Workspace, models.CASCADE, related_name="logo")
    content = models.BinaryField()
    media_type = models.CharField(max_length=40)
    digest = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")


# From the least to the most: a role may do all that those before it may.
RANK = {Role.VIEWER: 0, Role.EDITOR: 1, Role.ADMIN: 2, Role.OWNER: 3}


class Membership(models.Model):
    """A user's role in a workspace."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "workspace"], name="one_membership"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="known_role"),
        ]

    @property
    def public_id(self) -> str:
        return ids.public("membership", self.pk)


class Invitation(models.Model):
    """A place kept for somebody by address. Its link is good once, and only its hash is kept."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    email = models.CharField(max_length=320)
    email_key = models.CharField(max_length=320)
    role = models.CharField(max_length=8, choices=Role.choices)
    hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "email_key"],
                condition=models.Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
                name="one_open_invitation",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="known_role_invited"
            ),
        ]

    @property
    def public_id(self) -> str:
        return ids.public("invitation", self.pk)

    @property
    def state(self) -> str:
        """accepted, withdrawn, expired or open."""
        if self.accepted_at:
            return "accepted"
        if self.withdrawn_at:
            return "withdrawn"
        return "expired" if self.expires_at <= clock.now() else "open"


class ApiToken(models.Model):
    """A key for scripts: one user's rights in one workspace. Only its hash is kept."""

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    role = models.CharField(
        max_length=8,
        choices=Role.choices,
        blank=True,
        help_text="the most it may; empty: what its user may",
    )
    hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=12, help_text="the first letters, to tell tokens apart")
    created_at = models.DateTimeField(default=clock.now)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    @property
    def public_id(self) -> str:
        return ids.public("token", self.pk)
