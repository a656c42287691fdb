"""Column defaults of the documents: short locks, and no row changes."""

import django.core.validators
from django.db import migrations, models

import tenants.models.tenant
from config.db.operations import group_operations


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0011_webhooks'),
    ]

    operations = group_operations([
        migrations.AlterField(
            model_name='bridgesync',
            name='sync_data',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Synchronised data, by type.'),
        ),
        migrations.AlterField(
            model_name='bridgesync',
            name='sync_enabled',
            field=models.BooleanField(db_default=True, default=True, help_text='Whether to synchronise. Requires a key.'),
        ),
        migrations.AlterField(
            model_name='bridgesync',
            name='sync_status',
            field=models.CharField(choices=[('pending', 'Pending'), ('success', 'Success'), ('failed', 'Failed')], db_default='pending', default='pending', editable=False, help_text='Result of the latest synchronisation.', max_length=50),
        ),
        migrations.AlterField(
            model_name='costrecord',
            name='currency',
            field=models.CharField(db_default='USD', default='USD', help_text='Currency as an ISO 4217 code.', max_length=3, validators=[django.core.validators.RegexValidator('^[A-Z]{3}\\Z', 'Enter a three-letter ISO 4217 code in capitals, such as USD.')]),
        ),
        migrations.AlterField(
            model_name='engagement',
            name='status',
            field=models.CharField(choices=[('planning', 'Planning'), ('active', 'Active'), ('on_hold', 'On Hold'), ('completed', 'Completed'), ('cancelled', 'Cancelled')], db_default='planning', default='planning', help_text='Status of the project.', max_length=50),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='status',
            field=models.CharField(choices=[('trial', 'Trial'), ('active', 'Active'), ('past_due', 'Past Due'), ('cancelled', 'Cancelled'), ('expired', 'Expired')], db_default='active', default='active', help_text='Status of the subscription.', max_length=20),
        ),
        migrations.AlterField(
            model_name='subscriptionplan',
            name='plan_type',
            field=models.CharField(choices=[('free', 'Free'), ('starter', 'Starter'), ('standard', 'Standard'), ('pro', 'Pro'), ('enterprise', 'Enterprise')], db_default='free', default='free', help_text='Tier of the plan.', max_length=20),
        ),
        migrations.AlterField(
            model_name='tenant',
            name='agent_preferences',
            field=models.JSONField(blank=True, db_default={'automation_level': 'assisted', 'discovery_depth': 'comprehensive', 'risk_tolerance': 'moderate'}, default=tenants.models.tenant.agent_preference_defaults, help_text='Defaults for agents.'),
        ),
        migrations.AlterField(
            model_name='tenant',
            name='branding',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Colours and logo.'),
        ),
        migrations.AlterField(
            model_name='tenant',
            name='plan_type',
            field=models.CharField(choices=[('free', 'Free'), ('starter', 'Starter'), ('standard', 'Standard'), ('pro', 'Pro'), ('enterprise', 'Enterprise')], db_default='free', default='free', help_text='Plan that sets the limits.', max_length=20),
        ),
        migrations.AlterField(
            model_name='tenant',
            name='settings',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Settings of the organisation.'),
        ),
        migrations.AlterField(
            model_name='tenant',
            name='status',
            field=models.CharField(choices=[('active', 'Active'), ('suspended', 'Suspended'), ('deleted', 'Deleted')], db_default='active', default='active', help_text='Status.', max_length=20),
        ),
    ])
