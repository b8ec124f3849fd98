"""Fills the keys of names: those of plain letters by the database itself, the others in Python."""

from django.db import migrations

from mailape.lists.fields import FAMILY, NameKeyField

AT_ONCE = 5_000
# clean_name has left single blanks between words. The last word, where there are several:
LAST = {
    "sqlite": "CASE WHEN instr({k}, ' ') THEN"
    " substr({k}, length(rtrim({k}, replace({k}, ' ', ''))) + 1) ELSE '' END",
    "postgresql": "CASE WHEN position(' ' IN {k}) > 0 THEN substring({k} FROM '[^ ]+$') ELSE '' END",
}
PLAIN = {"sqlite": "name NOT GLOB '*[^ -~]*'", "postgresql": "name !~ '[^ -~]'"}


def fill(apps, schema_editor):
    connection = schema_editor.connection
    last = LAST[connection.vendor].format(k="lower(trim(name))")
    plain = PLAIN[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lists_subscriber SET name_key = email_key WHERE name = ''")
        cursor.execute(
            f"UPDATE lists_subscriber SET name_key = lower(trim(name)), family_key = {last}"
            f" WHERE name <> '' AND {plain}"
        )
        cursor.execute(f"SELECT id, name, email_key FROM lists_subscriber WHERE NOT {plain}")
        others = cursor.fetchall()
        whole, family = NameKeyField(), NameKeyField(part=FAMILY)
        keys = [(whole.made(n, e), family.made(n, e), pk) for pk, n, e in others]
        for first in range(0, len(keys), AT_ONCE):
            cursor.executemany(
                "UPDATE lists_subscriber SET name_key = %s, family_key = %s WHERE id = %s",
                keys[first : first + AT_ONCE],
            )


def empty(apps, schema_editor):
    """Nothing to take back: the columns go with the migration before this one."""


class Migration(migrations.Migration):
    dependencies = [("lists", "0006_search_keys")]
    operations = [migrations.RunPython(fill, empty)]
