"""What the instance itself keeps: link keys, settings, workers' signs of life, limits' counters."""

from __future__ import annotations

from django.db import models


class LinkKey(models.Model):
    """A key that links are signed with. Rows are added and never deleted."""

    secret = models.BinaryField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)


class InstanceSetting(models.Model):
    """One setting of the whole instance, as JSON under its name.

    One row tells a restored database by the transaction that wrote it (`core.origin`): a migration
    that rewrites this table has to settle the database anew.
    """

    name = models.CharField(max_length=64, primary_key=True)
    value = models.JSONField()
    changed_at = models.DateTimeField(auto_now=True)


class WorkerSign(models.Model):
    """A process's sign of life: who it is, what it serves, when it was last heard."""

    name = models.CharField(max_length=128, primary_key=True)
    role = models.CharField(max_length=16)
    queues = models.CharField(max_length=64, blank=True)
    version = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)


class RateCounter(models.Model):
    """How often something happened in one window of time, counted by all processes together."""

    key = models.CharField(max_length=128)
    window = models.BigIntegerField(help_text="the window's start, in seconds since 1970")
    count = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "window"], name="rate_key_window")]


class IdempotentAnswer(models.Model):
    """The first answer to a POST with an Idempotency-Key, kept for 24 hours.

    `status` is null while the first request is still under way.
    """

    owner = models.CharField(max_length=64, help_text="the token or user that sent the key")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="hash of method, path and body")
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="idempotency_key")]


class MinuteCount(models.Model):
    """How often something happened in one minute, all processes together; kept for two days."""

    what = models.CharField(max_length=16)
    minute = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["what", "minute"], name="count_per_minute")]


class TaskRun(models.Model):
    """The last run of a periodic task: when it began, how long it took, how it ended."""

    name = models.CharField(max_length=64, primary_key=True)
    began_at = models.DateTimeField()
    seconds = models.FloatField()
    failed = models.BooleanField(default=False)
    worker = models.CharField(max_length=128)


class PartState(models.Model):
    """How a part of the instance was when it was last looked at: web, database, workers, mail."""

    name = models.CharField(max_length=16, primary_key=True)
    is_well = models.BooleanField(default=True)
    since = models.DateTimeField()
    looked_at = models.DateTimeField()


class Incident(models.Model):
    """A time in which a part was not well, for the public status page; kept for 90 days."""

    part = models.CharField(max_length=16)
    began_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["part"], condition=models.Q(ended_at__isnull=True), name="one_open_incident"
            )
        ]
