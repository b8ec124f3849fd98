"""What goes well is in no index by its state, so that PostgreSQL updates no index for it."""

from typing import Any

from django.db import migrations, models


def leave_room(apps: Any, editor: Any) -> None:
    """PostgreSQL puts a row's next version on its own page if there is room, and then touches no
    index. Each delivery is updated once at least: without it the second version lay elsewhere, so
    the table grows no larger by this."""
    if editor.connection.vendor == "postgresql":
        editor.execute("ALTER TABLE delivery_subscribermessage SET (fillfactor = 50)")


def take_it_back(apps: Any, editor: Any) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("ALTER TABLE delivery_subscribermessage RESET (fillfactor)")


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0005_image_content"),
        ("delivery", "0006_connection_shares"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="subscribermessage", name="delivery_exceptions"),
        migrations.RunPython(leave_room, take_it_back),
        migrations.AddField(
            model_name="subscribermessage",
            name="exception",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(
                        state__in=["deferred", "failed", "skipped", "unknown", "quarantined"],
                        then=models.F("state"),
                    )
                ),
                output_field=models.CharField(max_length=11, null=True),
                help_text="the state where it is an exception: so that no index has what goes well"
                " in it",
            ),
        ),
        migrations.AddIndex(
            model_name="subscribermessage",
            index=models.Index(
                fields=["message", "exception", "id"],
                condition=models.Q(exception__isnull=False),
                name="delivery_exceptions",
            ),
        ),
    ]
