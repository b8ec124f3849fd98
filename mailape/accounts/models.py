"""User, Workspace, Membership, ApiToken."""

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
    created_at = models.DateTimeField(default=clock.now)

    USERNAME_FIELD = "email_key"
    EMAIL_FIELD = "email"
    objects: ClassVar[Users] = Users()

    def __str__(self) -> str:
        return self.email

    @property
    def public_id(self) -> str:
        return ids.public("user", self.pk)


class Workspace(models.Model):
    """A publication or organisation: everything but users belongs to one."""

    name = models.CharField(max_length=120)
    postal_address = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.public("workspace", self.pk)


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


class ApiToken(models.Model):
    """A key for scripts: one user's rights in one workspace. Only its hash is kept."""

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=12, help_text="the first letters, to tell tokens apart")
    created_at = models.DateTimeField(default=clock.now)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    @property
    def public_id(self) -> str:
        return ids.public("token", self.pk)
