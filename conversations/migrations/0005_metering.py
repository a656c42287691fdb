"""Meter events of tool calls and message embeddings."""

from django.db import migrations

from conversations import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0004_run_texts'),
        ('tenants', '0009_metering'),
    ]

    operations = [
        migrations.RunSQL(triggers.METERS, triggers.METERS_DROP),
    ]
