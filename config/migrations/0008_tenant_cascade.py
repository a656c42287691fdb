"""ON DELETE CASCADE for the foreign keys of all existing tables to the tenants.

No dependency: tables that are created later get it when they are created.
"""

from django.db import migrations

from config.db.operations import CascadeTenantKeys


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("config", "0007_tenant_deletion")]
    operations = [CascadeTenantKeys()]
