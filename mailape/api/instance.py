"""The instance as the API shows it: field by field, nothing that is not named here."""

from __future__ import annotations

from rest_framework import serializers

from mailape.api.serialisers import Instant, Shown


class ProcessShown(Shown):
    """One process of the instance."""

    role = serializers.CharField(read_only=True, help_text="web, worker or beat")
    queues = serializers.ListField(child=serializers.CharField(), read_only=True)
    host = serializers.CharField(read_only=True)
    version = serializers.CharField(read_only=True)
    started_at = Instant(read_only=True)
    seen_at = Instant(read_only=True)
    alive = serializers.BooleanField(source="is_alive", read_only=True)


class QueueShown(Shown):
    """Bells of one queue in the broker."""

    queue = serializers.CharField(read_only=True)
    waiting = serializers.IntegerField(read_only=True, min_value=0)
    taken = serializers.IntegerField(read_only=True, min_value=0)
    oldest = serializers.FloatField(
        read_only=True, allow_null=True, help_text="age of the oldest, in seconds"
    )


class LatelyShown(Shown):
    """How many in the last whole minute and in the last sixty of them."""

    minute = serializers.IntegerField(read_only=True, min_value=0)
    hour = serializers.IntegerField(read_only=True, min_value=0)


class WaitingShown(Shown):
    """Deliveries that are to be sent. `due` and `later` are counted up to 1,000."""

    in_batches = serializers.IntegerField(read_only=True, min_value=0)
    paused = serializers.IntegerField(read_only=True, min_value=0)
    due = serializers.IntegerField(read_only=True, min_value=0)
    later = serializers.IntegerField(read_only=True, min_value=0)
    oldest_due = Instant(read_only=True, allow_null=True)


class SweepShown(Shown):
    """The last run of a periodic task."""

    name = serializers.CharField(read_only=True)
    began_at = Instant(read_only=True, allow_null=True)
    seconds = serializers.FloatField(read_only=True, allow_null=True)
    failed = serializers.BooleanField(read_only=True)
    late = serializers.BooleanField(source="is_late", read_only=True)


class HoldShown(Shown):
    """Why nothing is sent of the whole instance, and since when."""

    since = Instant(read_only=True)
    why = serializers.CharField(read_only=True)
    copied_at = Instant(
        read_only=True,
        allow_null=True,
        help_text="when the copy was made that the database was restored from, if it was",
    )


class SystemShown(Shown):
    """The instance as it is at this moment."""

    at = Instant(read_only=True)
    version = serializers.CharField(read_only=True)
    working = serializers.BooleanField(
        read_only=True, help_text="web, beat, a worker for every queue, and the broker"
    )
    processes = ProcessShown(many=True, read_only=True)
    unserved_queues = serializers.ListField(child=serializers.CharField(), read_only=True)
    has_beat = serializers.BooleanField(read_only=True)
    queues = QueueShown(many=True, read_only=True)
    broker_fault = serializers.CharField(read_only=True, help_text="empty where it answers")
    sent = LatelyShown(read_only=True)
    failed = LatelyShown(read_only=True)
    waiting = WaitingShown(read_only=True)
    held = HoldShown(read_only=True, allow_null=True, help_text="null unless sending is held")
    sweeps = SweepShown(many=True, read_only=True)
    last_failure = Instant(
        read_only=True, allow_null=True, help_text="when a task failed last, of the last week"
    )
