"""Firings of triggers, secrets of webhooks with rotation, and functions that find triggers. Short locks."""

import config.db.constraints
import config.db.ids
import config.encryption.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models

from workflows import functions


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0020_request_count_policy'),
        ('workflows', '0011_step_kinds'),
    ]

    operations = [
        migrations.CreateModel(
            name='TriggerFiring',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('key', models.CharField(help_text='What a second firing would repeat: the scheduled time, the webhook ID or the event ID.', max_length=255)),
                ('status', models.CharField(choices=[('started', 'Started'), ('queued', 'Queued'), ('skipped', 'Skipped'), ('failed', 'Failed')], default='started', help_text='Queued and skipped firings found an unfinished run; a failed one could not start its run.', max_length=20)),
                ('scheduled_for', models.DateTimeField(blank=True, help_text='Scheduled time.', null=True)),
                ('missed', models.PositiveIntegerField(default=0, help_text='Number of scheduled times before this one that started no run.')),
                ('error', models.CharField(blank=True, default='', help_text='Why no run started.', max_length=500)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='workflowtrigger',
            name='workflows_workflowtrigger_rls',
        ),
        migrations.RemoveConstraint(
            model_name='workflowtrigger',
            name='workflows_workflowtrigger_audit',
        ),
        migrations.AddField(
            model_name='workflowtrigger',
            name='previous_secret',
            field=config.encryption.fields.EncryptedTextField(blank=True, help_text='Secret before the rotation, encrypted.', null=True),
        ),
        migrations.AddField(
            model_name='workflowtrigger',
            name='rotation_ends_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='Until when the previous secret is accepted too.', null=True),
        ),
        migrations.AlterField(
            model_name='workflowtrigger',
            name='config',
            field=models.JSONField(blank=True, default=dict, help_text='Scheduled: {"cron": "0 6 * * 1", "timezone": "UTC"}. Event: {"event": "document.ready", "filter": {}}. Webhook: {"scheme": "standard-webhooks"}. Each can include an "input".'),
        ),
        migrations.AlterField(
            model_name='workflowtrigger',
            name='secret',
            field=config.encryption.fields.EncryptedTextField(blank=True, help_text='Secret that signs webhook requests (`whsec_…`), encrypted.', null=True),
        ),
        migrations.AddConstraint(
            model_name='workflowtrigger',
            constraint=config.db.constraints.RowLevelSecurity(hidden=('secret', 'previous_secret'), name='workflows_workflowtrigger_rls'),
        ),
        migrations.AddConstraint(
            model_name='workflowtrigger',
            constraint=config.db.constraints.AuditTrigger(label='workflows.workflowtrigger', name='workflows_workflowtrigger_audit', omit=('last_fired_at', 'next_fire_at'), redact=('secret', 'previous_secret')),
        ),
        migrations.AddField(
            model_name='triggerfiring',
            name='execution',
            field=models.ForeignKey(blank=True, db_constraint=False, help_text='Run that it started. Empty: none, or a deleted run.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='firings', to='workflows.workflowexecution'),
        ),
        migrations.AddField(
            model_name='triggerfiring',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='triggerfiring',
            name='trigger',
            field=models.ForeignKey(db_constraint=False, help_text='The trigger.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='firings', to='workflows.workflowtrigger'),
        ),
        migrations.AddIndex(
            model_name='triggerfiring',
            index=models.Index(fields=['tenant', 'trigger', '-id'], name='wf_firing_trigger'),
        ),
        migrations.AddIndex(
            model_name='triggerfiring',
            index=models.Index(fields=['tenant', 'execution'], name='wf_firing_execution'),
        ),
        migrations.AddIndex(
            model_name='triggerfiring',
            index=models.Index(condition=models.Q(('status', 'queued')), fields=['tenant', 'trigger', 'scheduled_for'], name='wf_firing_queued'),
        ),
        migrations.AddConstraint(
            model_name='triggerfiring',
            constraint=models.UniqueConstraint(fields=('tenant', 'trigger', 'key'), name='workflows_triggerfiring_key_once', violation_error_message='The trigger already fired on this occasion.'),
        ),
        migrations.AddConstraint(
            model_name='triggerfiring',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['started', 'queued', 'skipped', 'failed'])), name='workflows_triggerfiring_status_known', violation_error_message='status: must be one of started, queued, skipped, failed.'),
        ),
        migrations.AddConstraint(
            model_name='triggerfiring',
            constraint=config.db.constraints.RowLevelSecurity(columns=('status', 'execution_id', 'error', 'updated_at'), name='workflows_triggerfiring_rls', verbs='SELECT, INSERT, UPDATE'),
        ),
        migrations.AddConstraint(
            model_name='triggerfiring',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_triggerfiring_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='triggerfiring',
            constraint=config.db.constraints.SameTenant(field='trigger', name='workflows_triggerfiring_trigger_same', on_delete='CASCADE'),
        ),
        migrations.AddConstraint(
            model_name='triggerfiring',
            constraint=config.db.constraints.SameTenant(field='execution', name='workflows_triggerfiring_execution_same', on_delete='SET NULL'),
        ),
        migrations.AddConstraint(
            model_name='triggerfiring',
            constraint=config.db.constraints.UpdatedAtTrigger(name='workflows_triggerfiring_updated_at'),
        ),
        migrations.RunSQL(functions.TRIGGERS, functions.TRIGGERS_DROP),
        migrations.RunSQL(functions.EARLIER_TRIGGERS, functions.EARLIER_TRIGGERS_UNDO),
    ]
