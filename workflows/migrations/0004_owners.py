"""Owners of projects and tasks without one, and members of projects with tasks of several users."""

from django.db import migrations

from workflows import functions


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_initial'),
        ('workflows', '0003_members'),
    ]

    operations = [
        migrations.RunSQL(functions.OWNERS, migrations.RunSQL.noop),
    ]
