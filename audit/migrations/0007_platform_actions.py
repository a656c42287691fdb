"""Security events of the platform: only of its actions, not of each scope that it opens."""

from django.db import migrations

from audit import security_functions as sql


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_documented_rules")]
    operations = [
        migrations.RunSQL(sql.AUDITED_EVENTS_DROP + sql.audited_events_sql(), migrations.RunSQL.noop)
    ]
