"""Mark of collections whose searches the audit log records."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0003_private_texts'),
    ]

    operations = [
        migrations.AddField(
            model_name='collection',
            name='is_sensitive',
            field=models.BooleanField(default=False, help_text='Whether the audit log records each search that returns its passages.'),
        ),
    ]
