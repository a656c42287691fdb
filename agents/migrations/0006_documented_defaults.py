"""Column defaults of the documents: short locks, and no row changes."""

import django.core.validators
from django.db import migrations, models

from config.db.operations import group_operations


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0005_metering'),
    ]

    operations = group_operations([
        migrations.AlterField(
            model_name='agent',
            name='status',
            field=models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('inactive', 'Inactive'), ('archived', 'Archived')], db_default='active', default='active', help_text='Only active agents run.', max_length=50),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='allowed_integrations',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Allowed model providers. Empty: all.'),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='functions',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Tools available to its agents.'),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='is_marketplace',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether it is for sale.'),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='is_public',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether all organisations see it.'),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='knowledge_sources',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='URLs of pages that its agents know.'),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='model_config',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='For example {"temperature": 0.2, "max_tokens": 2000}.'),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='personality_config',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='For example {"tone": "friendly", "expertise": "law"}.'),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='rating',
            field=models.DecimalField(db_default=0, decimal_places=2, default=0, editable=False, help_text='Average rating, from 1 to 5; 0 if there are no ratings.', max_digits=3),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='usage_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Number of agents.'),
        ),
        migrations.AlterField(
            model_name='agenttemplate',
            name='version',
            field=models.PositiveIntegerField(db_default=1, default=1, help_text='Version number, starting at 1.', validators=[django.core.validators.MinValueValidator(1)]),
        ),
        migrations.AlterField(
            model_name='integration',
            name='config',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Non-secret settings.'),
        ),
        migrations.AlterField(
            model_name='integration',
            name='status',
            field=models.CharField(choices=[('connected', 'Connected'), ('disconnected', 'Disconnected'), ('error', 'Error')], db_default='disconnected', default='disconnected', editable=False, help_text='Result of the latest call.', max_length=50),
        ),
        migrations.AlterField(
            model_name='integration',
            name='usage_stats',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False, help_text='Tokens, requests and cost.'),
        ),
        migrations.AlterField(
            model_name='platformadapter',
            name='capabilities',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Capability labels.'),
        ),
        migrations.AlterField(
            model_name='platformadapter',
            name='configuration_schema',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='JSON Schema of the configuration.'),
        ),
        migrations.AlterField(
            model_name='platformadapter',
            name='status',
            field=models.CharField(choices=[('active', 'Active'), ('deprecated', 'Deprecated'), ('disabled', 'Disabled')], db_default='active', default='active', help_text='Whether the adapter can be used.', max_length=20),
        ),
        migrations.AlterField(
            model_name='platformadapter',
            name='supported_platforms',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Supported platforms.'),
        ),
        migrations.AlterField(
            model_name='platformcredential',
            name='status',
            field=models.CharField(choices=[('active', 'Active'), ('expired', 'Expired'), ('revoked', 'Revoked')], db_default='active', default='active', help_text='Whether the credential can be used.', max_length=50),
        ),
        migrations.AlterField(
            model_name='systemprompt',
            name='is_active',
            field=models.BooleanField(db_default=True, default=True, help_text='Whether the prompt is used.'),
        ),
        migrations.AlterField(
            model_name='systemprompt',
            name='usage_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Number of uses.'),
        ),
        migrations.AlterField(
            model_name='systemprompt',
            name='version',
            field=models.PositiveIntegerField(db_default=1, default=1, help_text='Version number, starting at 1.', validators=[django.core.validators.MinValueValidator(1)]),
        ),
        migrations.AlterField(
            model_name='templatepurchase',
            name='payment_status',
            field=models.CharField(choices=[('pending', 'Pending'), ('completed', 'Completed'), ('refunded', 'Refunded')], db_default='pending', default='pending', help_text='Payment status.', max_length=50),
        ),
    ])
