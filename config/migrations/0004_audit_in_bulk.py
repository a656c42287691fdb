"""The audit log takes rows that come in bulk by one statement."""

from django.db import migrations

from config.db import functions as sql


class Migration(migrations.Migration):
    dependencies = [("config", "0003_reports"), ("audit", "0002_ledger")]
    operations = [migrations.RunSQL(sql.AUDIT_IN_BULK, sql.AUDIT_ONE_BY_ONE)]
