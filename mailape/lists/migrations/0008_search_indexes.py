"""Behind the filling of what they index, which they would make slower."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("lists", "0007_fill_search_keys"),
    ]

    operations = [
        migrations.AddIndex(
            model_name='subscriber',
            index=models.Index(fields=['workspace', 'created_at', 'id'], name='subscriber_joined'),
        ),
        migrations.AddIndex(
            model_name='subscriber',
            index=models.Index(fields=['workspace', 'name_key', 'id'], name='subscriber_name'),
        ),
        migrations.AddIndex(
            model_name='subscriber',
            index=models.Index(fields=['workspace', 'family_key'], name='subscriber_family'),
        ),
        migrations.AddIndex(
            model_name='subscriber',
            index=models.Index(fields=['workspace', 'domain'], name='subscriber_domain'),
        ),
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(fields=['list', 'created_at', 'id'], name='subscription_joined'),
        ),
    ]
