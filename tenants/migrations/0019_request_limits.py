"""Limits on API requests and concurrent runs, and quotas on answers of models.

Backwards, the database keeps the wider constraint, so that no quota is lost.
"""

from django.db import migrations, models

from tenants import request_limits

KNOWN = """
ALTER TABLE tenants_tenantquota DROP CONSTRAINT tenants_tenantquota_resource_known;
ALTER TABLE tenants_tenantquota ADD CONSTRAINT tenants_tenantquota_resource_known CHECK (
  resource IN ('users', 'agents', 'engagements', 'documents', 'requests', 'tokens', 'storage_gb', 'answers',
    'concurrent_runs'))"""


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0018_payout_account'),
    ]

    operations = [
        migrations.AddField(
            model_name='subscriptionplan',
            name='max_concurrent_runs',
            field=models.PositiveIntegerField(blank=True, help_text='Maximum number of agent runs at the same time. Empty: no limit.', null=True),
        ),
        migrations.AddField(
            model_name='tenant',
            name='max_concurrent_runs',
            field=models.PositiveIntegerField(blank=True, help_text='Maximum number of agent runs at the same time. Empty: that of the plan.', null=True),
        ),
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
                    field=models.CharField(choices=[('users', 'Users'), ('agents', 'Agents'), ('engagements', 'Engagements'), ('documents', 'Documents'), ('requests', 'API requests'), ('tokens', 'Model tokens'), ('storage_gb', 'Storage in gigabytes'), ('answers', 'Answers of models'), ('concurrent_runs', 'Agent runs at the same time')], help_text='Limited resource.', max_length=50),
                ),
                migrations.AddConstraint(
                    model_name='tenantquota',
                    constraint=models.CheckConstraint(condition=models.Q(('resource__in', ['users', 'agents', 'engagements', 'documents', 'requests', 'tokens', 'storage_gb', 'answers', 'concurrent_runs'])), name='tenants_tenantquota_resource_known'),
                ),
            ],
        ),
        migrations.RunSQL(request_limits.REQUEST_LIMITS, request_limits.REQUEST_LIMITS_DROP),
    ]
