"""Erasure of the payloads of model calls with their conversation."""

from django.db import migrations

from conversations import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0007_payloads'),
        ('conversations', '0006_documented_defaults'),
    ]

    operations = [
        migrations.RunSQL(triggers.ERASE_PAYLOADS, triggers.ERASE_PAYLOADS_DROP),
    ]
