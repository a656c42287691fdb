"""Quotas on documents.

Backwards, the database keeps the wider constraint, so that no quota is lost.
"""

from django.db import migrations, models

KNOWN = """
ALTER TABLE tenants_tenantquota DROP CONSTRAINT tenants_tenantquota_resource_known;
ALTER TABLE tenants_tenantquota ADD CONSTRAINT tenants_tenantquota_resource_known CHECK (
  resource IN ('users', 'agents', 'engagements', 'documents', 'requests', 'tokens', 'storage_gb'))"""


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0014_limits'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(KNOWN, migrations.RunSQL.noop)],
            state_operations=[
                migrations.RemoveConstraint(
                    model_name='tenantquota',
                    name='tenants_tenantquota_resource_known',
                ),
                migrations.AlterField(
                    model_name='tenantquota',
                    name='resource',
                    field=models.CharField(choices=[('users', 'Users'), ('agents', 'Agents'), ('engagements', 'Engagements'), ('documents', 'Documents'), ('requests', 'API requests'), ('tokens', 'Model tokens'), ('storage_gb', 'Storage in gigabytes')], help_text='Limited resource.', max_length=50),
                ),
                migrations.AddConstraint(
                    model_name='tenantquota',
                    constraint=models.CheckConstraint(condition=models.Q(('resource__in', ['users', 'agents', 'engagements', 'documents', 'requests', 'tokens', 'storage_gb'])), name='tenants_tenantquota_resource_known'),
                ),
            ],
        ),
    ]
