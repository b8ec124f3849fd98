"""Newsletter, Subscriber and what is sent to whom."""

from __future__ import annotations

import uuid

from django.db import models


class Newsletter(models.Model):
    subject = models.CharField(max_length=200)
    stories = models.JSONField()


class Subscriber(models.Model):
    email = models.EmailField(unique=True)
    first_name = models.CharField(max_length=100)


class Delivery(models.Model):
    newsletter = models.ForeignKey(Newsletter, models.CASCADE)
    subscriber = models.ForeignKey(Subscriber, models.CASCADE)
    token = models.UUIDField(default=uuid.uuid4)
    status = models.CharField(max_length=10, default="queued")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["newsletter", "subscriber"], name="once_to_each")
        ]
