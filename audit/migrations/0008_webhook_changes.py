"""Changes of webhook endpoints are security events."""

from django.db import migrations

from audit import security_functions as sql


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_platform_actions")]
    operations = [
        migrations.RunSQL(sql.AUDITED_EVENTS_DROP + sql.audited_events_sql(), migrations.RunSQL.noop)
    ]
