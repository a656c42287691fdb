"""Triggers that do not record the rows of a tenant that is being deleted.

A new database has them from its first migration.
"""

from django.db import migrations

from config.db import functions


class Migration(migrations.Migration):
    dependencies = [("config", "0006_engagement_scope"), ("tenants", "0008_tenant_deletion")]
    operations = [migrations.RunSQL(functions.AUDIT, migrations.RunSQL.noop)]
