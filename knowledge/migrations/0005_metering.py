"""Meter events of searches, documents, files and embeddings."""

from django.db import migrations

from knowledge import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0004_sensitive_collection'),
        ('tenants', '0009_metering'),
    ]

    operations = [
        migrations.RunSQL(triggers.METERS, triggers.METERS_DROP),
    ]
