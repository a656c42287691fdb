"""Outgoing events of security events of high severity."""

from django.db import migrations

from audit import security_functions as sql


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0003_review_state'),
        ('tenants', '0010_outbox'),
    ]

    operations = [
        migrations.RunSQL(sql.ALERTS, sql.ALERTS_DROP),
    ]
