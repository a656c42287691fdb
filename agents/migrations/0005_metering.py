"""Meter events of model calls and agent runs."""

from django.db import migrations

from agents import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0004_prompt_versions'),
        ('tenants', '0009_metering'),
    ]

    operations = [
        migrations.RunSQL(triggers.METERS, triggers.METERS_DROP),
    ]
