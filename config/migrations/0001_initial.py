"""SQL functions that the tables of all apps use; runs before any app's first migration."""

from django.db import migrations

from config.db import functions as sql


class Migration(migrations.Migration):
    initial = True
    run_before = [("tenants", "0001_initial"), ("accounts", "0001_initial"), ("audit", "0001_initial")]
    operations = [
        migrations.RunSQL(sql.CONTEXT, sql.CONTEXT_DROP),
        migrations.RunSQL(sql.AUDIT, sql.AUDIT_DROP),
        migrations.RunSQL(sql.PARTITIONS, sql.PARTITIONS_DROP),
        migrations.RunSQL(sql.RATE_LIMITS, sql.RATE_LIMITS_DROP),
        migrations.RunSQL(sql.CREDENTIALS, sql.CREDENTIALS_DROP),
        migrations.RunSQL(sql.REPORTS, sql.REPORTS_DROP),
    ]
