"""Learned insights are deleted with their engagement. Short locks."""

from django.db import migrations

from workflows import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0009_learning'),
    ]

    operations = [
        migrations.RunSQL(triggers.FORGET_INSIGHTS, triggers.FORGET_INSIGHTS_DROP),
    ]
