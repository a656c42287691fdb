"""Erasure of suggested questions with their conversation."""

from django.db import migrations

from conversations import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0009_run_limit'),
        ('knowledge', '0013_judged_questions'),
    ]

    operations = [
        migrations.RunSQL(triggers.ERASE_SUGGESTIONS, triggers.ERASE_SUGGESTIONS_DROP),
    ]
