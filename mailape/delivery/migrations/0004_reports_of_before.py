from django.db import migrations
from django.utils import timezone


def of_what_was_sent_before(apps, schema_editor):
    """Reports of the messages that went out before there were any are added up soon."""
    messages = apps.get_model("campaigns", "Message").objects
    reports = apps.get_model("delivery", "MessageReport").objects
    sent = messages.filter(kind="newsletter", started_at__isnull=False).order_by("-pk")
    keys = list(sent.values_list("pk", flat=True))
    rows = (reports.model(message_id=key, due_at=timezone.now()) for key in keys)
    reports.bulk_create(rows, batch_size=500)


class Migration(migrations.Migration):

    dependencies = [
        ('delivery', '0003_reports'),
    ]

    operations = [
        migrations.RunPython(of_what_was_sent_before, migrations.RunPython.noop),
    ]
