"""Fills the kept numbers of lists from the subscriptions that are there, by the database itself."""

from django.db import migrations

COUNTS = """
    INSERT INTO lists_listcount (list_id, unconfirmed, confirmed, unsubscribed)
    SELECT list_id,
        SUM(CASE status WHEN 'unconfirmed' THEN 1 ELSE 0 END),
        SUM(CASE status WHEN 'confirmed' THEN 1 ELSE 0 END),
        SUM(CASE status WHEN 'unsubscribed' THEN 1 ELSE 0 END)
    FROM lists_subscription GROUP BY list_id
"""
# What is known of the past: the last time that each was confirmed and left.
DAYS = """
    INSERT INTO lists_listday (list_id, day, joined, confirmations, departures, growth)
    SELECT list_id, day, SUM(joined), SUM(confirmations), SUM(departures), SUM(growth) FROM (
        SELECT list_id, {created} AS day, COUNT(*) AS joined, 0 AS confirmations,
            0 AS departures, 0 AS growth
        FROM lists_subscription GROUP BY list_id, {created}
        UNION ALL
        SELECT list_id, {confirmed}, 0, COUNT(*), 0, COUNT(*)
        FROM lists_subscription
        WHERE confirmed_at IS NOT NULL AND status IN ('confirmed', 'unsubscribed')
        GROUP BY list_id, {confirmed}
        UNION ALL
        SELECT list_id, {left}, 0, 0, COUNT(*),
            -SUM(CASE WHEN confirmed_at IS NOT NULL THEN 1 ELSE 0 END)
        FROM lists_subscription WHERE status = 'unsubscribed' AND unsubscribed_at IS NOT NULL
        GROUP BY list_id, {left}
    ) happened GROUP BY list_id, day
"""
DATE = {"postgresql": "({} AT TIME ZONE 'UTC')::date", "sqlite": "date({})"}


def fill(apps, schema_editor):
    connection = schema_editor.connection
    names = {"created": "created_at", "confirmed": "confirmed_at", "left": "unsubscribed_at"}
    days = {name: DATE[connection.vendor].format(column) for name, column in names.items()}
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        cursor.execute(DAYS.format(**days))


def empty(apps, schema_editor):
    """Nothing to take back: the tables go with the migration before this one."""


class Migration(migrations.Migration):
    dependencies = [("lists", "0004_numbers")]
    operations = [migrations.RunPython(fill, empty)]
