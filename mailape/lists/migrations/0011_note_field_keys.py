"""Notes the keys of fields that people have already."""

from django.db import migrations

AT_ONCE = 5_000


def note(apps, schema_editor):
    people = apps.get_model("lists", "Subscriber").objects.exclude(fields={})
    rows = people.values_list("workspace_id", "fields").iterator(AT_ONCE)
    found = {(workspace_id, key) for workspace_id, fields in rows for key in fields}
    field_key = apps.get_model("lists", "FieldKey")
    field_key.objects.bulk_create(
        [field_key(workspace_id=workspace_id, key=key) for workspace_id, key in sorted(found)],
        batch_size=AT_ONCE,
        ignore_conflicts=True,
    )


def empty(apps, schema_editor):
    """Nothing to take back: the table goes with the migration before this one."""


class Migration(migrations.Migration):
    dependencies = [("lists", "0010_field_keys")]
    operations = [migrations.RunPython(note, empty)]
