"""Columns of runs and attempts, lanes, events of runs, and the SQL functions of the engine. Short locks."""

import config.db.constraints
import config.db.engagements
import config.db.ids
import config.db.partitions
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models

from workflows import clock_functions, run_functions


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0012_payout_refusals'),
        ('tenants', '0020_request_count_policy'),
        ('workflows', '0012_trigger_firings'),
    ]

    operations = [
        migrations.CreateModel(
            name='WorkflowEvent',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.GeneratedField(db_persist=True, expression=models.Func(models.F('id'), function='conclave_uuid_time'), help_text='Creation time in milliseconds, taken from the ID.', output_field=models.DateTimeField())),
                ('sequence_number', models.PositiveIntegerField(help_text='Position in the run, starting at 1.')),
                ('kind', models.CharField(choices=[('run.started', 'Run Started'), ('run.waiting', 'Run Waiting'), ('run.resumed', 'Run Resumed'), ('run.paused', 'Run Paused'), ('run.compensating', 'Run Compensating'), ('run.completed', 'Run Completed'), ('run.failed', 'Run Failed'), ('run.cancelled', 'Run Cancelled'), ('run.redriven', 'Run Redriven'), ('step.waiting', 'Step Waiting'), ('step.retried', 'Step Retried'), ('step.completed', 'Step Completed'), ('step.failed', 'Step Failed'), ('step.skipped', 'Step Skipped')], help_text='What happened.', max_length=30)),
                ('data', models.JSONField(blank=True, default=dict, help_text='IDs and states: {"step_id": "draft", "attempt": 1}.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
            },
            bases=(config.db.partitions.PartitionedMixin, models.Model),
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='WorkflowGate',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('lanes', models.PositiveSmallIntegerField(db_default=4, default=4, help_text='Number of steps that the tenant may run at the same time.')),
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
        migrations.CreateModel(
            name='WorkflowLane',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('lane', models.PositiveSmallIntegerField(help_text='Number of the lane, starting at 0.')),
                ('status', models.CharField(choices=[('idle', 'Idle'), ('queued', 'Queued'), ('running', 'Running')], db_default='idle', default='idle', help_text='Whether a job of the lane is queued or running.', max_length=10)),
                ('job', models.BigIntegerField(blank=True, help_text='Number of the job. Another job of the lane does nothing.', null=True)),
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
            model_name='stepexecution',
            name='workflows_stepexecution_once',
        ),
        migrations.RemoveConstraint(
            model_name='stepexecution',
            name='workflows_stepexecution_status_known',
        ),
        migrations.RemoveConstraint(
            model_name='stepexecution',
            name='workflows_stepexecution_audit',
        ),
        migrations.RemoveConstraint(
            model_name='workflowexecution',
            name='workflows_workflowexecution_status_known',
        ),
        migrations.RemoveConstraint(
            model_name='workflowexecution',
            name='workflows_workflowexecution_audit',
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='claim',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Fencing token, raised by each claim.'),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='correlation',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Key of the event or run that the step waits for.', max_length=500),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='deadline_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='End of the time limit of all attempts.', null=True),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='error_code',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Code of the error.', max_length=100),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='expires_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='End of the time limit of this attempt.', null=True),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='idempotency_key',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Key of effects outside, the same for all attempts.', max_length=255),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='item',
            field=models.IntegerField(db_default=-1, default=-1, editable=False, help_text='Position of the item of a map, or -1.'),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='lane_job',
            field=models.BigIntegerField(blank=True, editable=False, help_text='Job that runs the step.', null=True),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='priority',
            field=models.SmallIntegerField(db_default=0, default=0, editable=False, help_text='Steps with a higher priority start first.'),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='resolution',
            field=models.JSONField(blank=True, editable=False, help_text='Output or error that ended the wait.', null=True),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='size_bytes',
            field=models.BigIntegerField(db_default=0, default=0, editable=False, help_text='Size of the output as JSON.'),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='takeovers',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False, help_text='How often a worker lost the step.'),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='time_limit',
            field=models.FloatField(blank=True, editable=False, help_text='Time limit of the attempt, in seconds.', null=True),
        ),
        migrations.AddField(
            model_name='stepexecution',
            name='wake_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='End of the wait.', null=True),
        ),
        migrations.AddField(
            model_name='workflowexecution',
            name='concurrency_key',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Runs of the workflow with the same key share its limit.', max_length=255),
        ),
        migrations.AddField(
            model_name='workflowexecution',
            name='deadline_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='End of the time limit. Waiting extends it.', null=True),
        ),
        migrations.AddField(
            model_name='workflowexecution',
            name='engagement',
            field=models.ForeignKey(blank=True, db_constraint=False, help_text='Engagement in whose scope the steps run.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.engagement'),
        ),
        migrations.AddField(
            model_name='workflowexecution',
            name='event_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Number of the latest event of the run.'),
        ),
        migrations.AddField(
            model_name='workflowexecution',
            name='parent_step',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='Step of another run that started this run.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='child_runs', to='workflows.stepexecution'),
        ),
        migrations.AddField(
            model_name='workflowexecution',
            name='priority',
            field=models.SmallIntegerField(db_default=0, default=0, help_text='Steps of runs with a higher priority start first.'),
        ),
        migrations.AddField(
            model_name='workflowexecution',
            name='redrive_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='How often failed steps were started again.'),
        ),
        migrations.AddField(
            model_name='workflowexecution',
            name='waiting_since',
            field=models.DateTimeField(blank=True, editable=False, help_text='Since when all steps of the run wait.', null=True),
        ),
        migrations.AlterField(
            model_name='stepexecution',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('ready', 'Ready'), ('running', 'Running'), ('waiting', 'Waiting'), ('completed', 'Completed'), ('failed', 'Failed'), ('skipped', 'Skipped'), ('cancelled', 'Cancelled')], default='pending', help_text='Status of the step.', max_length=20),
        ),
        migrations.AlterField(
            model_name='workflow',
            name='retry_config',
            field=models.JSONField(blank=True, default=dict, help_text='Retry policy of failed steps: {"maximum_attempts": 3, "initial_interval": 1}.'),
        ),
        migrations.AlterField(
            model_name='workflowexecution',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('waiting', 'Waiting'), ('paused', 'Paused'), ('compensating', 'Compensating'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='pending', default='pending', help_text='Run status.', max_length=50),
        ),
        migrations.AddIndex(
            model_name='stepexecution',
            index=models.Index(condition=models.Q(('status', 'ready')), fields=['tenant', '-priority', 'id'], name='wf_step_ready'),
        ),
        migrations.AddIndex(
            model_name='stepexecution',
            index=models.Index(condition=models.Q(('lane_job__isnull', False)), fields=['lane_job'], name='wf_step_lane_job'),
        ),
        migrations.AddIndex(
            model_name='stepexecution',
            index=models.Index(condition=models.Q(('status', 'waiting'), ('wake_at__isnull', False)), fields=['wake_at'], name='wf_step_wake'),
        ),
        migrations.AddIndex(
            model_name='stepexecution',
            index=models.Index(condition=models.Q(('expires_at__isnull', False), ('status__in', ['ready', 'running', 'waiting'])), fields=['expires_at'], name='wf_step_expires'),
        ),
        migrations.AddIndex(
            model_name='stepexecution',
            index=models.Index(condition=models.Q(('status', 'waiting'), models.Q(('correlation', ''), _negated=True)), fields=['tenant', 'correlation'], name='wf_step_correlation'),
        ),
        migrations.AddIndex(
            model_name='workflowexecution',
            index=models.Index(fields=['tenant', 'engagement'], name='wf_execution_engagement'),
        ),
        migrations.AddIndex(
            model_name='workflowexecution',
            index=models.Index(fields=['tenant', 'parent_step'], name='wf_execution_parent'),
        ),
        migrations.AddIndex(
            model_name='workflowexecution',
            index=models.Index(condition=models.Q(models.Q(('concurrency_key', ''), _negated=True), ('completed_at', None)), fields=['tenant', 'workflow', 'concurrency_key'], name='wf_execution_concurrency'),
        ),
        migrations.AddIndex(
            model_name='workflowexecution',
            index=models.Index(condition=models.Q(('completed_at', None), ('deadline_at__isnull', False)), fields=['deadline_at'], name='wf_execution_due'),
        ),
        migrations.AddConstraint(
            model_name='stepexecution',
            constraint=models.UniqueConstraint(fields=('tenant', 'execution', 'step_id', 'item', 'attempt'), name='workflows_stepexecution_attempt_once', violation_error_message='This attempt already exists.'),
        ),
        migrations.AddConstraint(
            model_name='stepexecution',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'ready', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled'])), name='workflows_stepexecution_status_known', violation_error_message='status: must be one of pending, ready, running, waiting, completed, failed, skipped, cancelled.'),
        ),
        migrations.AddConstraint(
            model_name='stepexecution',
            constraint=config.db.engagements.EngagementIsolation(name='workflows_stepexecution_engagement', parents={'execution_id': 'workflows_workflowexecution'}),
        ),
        migrations.AddConstraint(
            model_name='workflowexecution',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'running', 'waiting', 'paused', 'compensating', 'completed', 'failed', 'cancelled'])), name='workflows_workflowexecution_status_known', violation_error_message='status: must be one of pending, running, waiting, paused, compensating, completed, failed, cancelled.'),
        ),
        migrations.AddConstraint(
            model_name='workflowexecution',
            constraint=config.db.engagements.EngagementIsolation(column='engagement_id', name='workflows_workflowexecution_engagement', optional=True),
        ),
        migrations.AddConstraint(
            model_name='workflowexecution',
            constraint=config.db.constraints.SameTenant(field='engagement', name='workflows_workflowexecution_engagement_same', on_delete='CASCADE'),
        ),
        migrations.AddConstraint(
            model_name='workflowexecution',
            constraint=config.db.constraints.SameTenant(field='parent_step', name='workflows_workflowexecution_parent_step_same', on_delete='SET NULL'),
        ),
        migrations.AddConstraint(
            model_name='workflowexecution',
            constraint=config.db.constraints.AuditTrigger(label='workflows.workflowexecution', name='workflows_workflowexecution_audit', omit=('trigger_data', 'input_data', 'output_data', 'metadata', 'current_step', 'steps_completed', 'event_count', 'waiting_since', 'deadline_at')),
        ),
        migrations.AddField(
            model_name='workflowevent',
            name='execution',
            field=models.ForeignKey(db_constraint=False, help_text='The run.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='workflows.workflowexecution'),
        ),
        migrations.AddField(
            model_name='workflowevent',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='workflowgate',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='workflowlane',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddIndex(
            model_name='workflowevent',
            index=models.Index(fields=['tenant', 'execution', 'sequence_number'], name='wf_event_order'),
        ),
        migrations.AddConstraint(
            model_name='workflowevent',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['run.started', 'run.waiting', 'run.resumed', 'run.paused', 'run.compensating', 'run.completed', 'run.failed', 'run.cancelled', 'run.redriven', 'step.waiting', 'step.retried', 'step.completed', 'step.failed', 'step.skipped'])), name='workflows_workflowevent_kind_known', violation_error_message='kind: must be one of run.started, run.waiting, run.resumed, run.paused, run.compensating, run.completed, run.failed, run.cancelled, run.redriven, step.waiting, step.retried, step.completed, step.failed, step.skipped.'),
        ),
        migrations.AddConstraint(
            model_name='workflowevent',
            constraint=config.db.constraints.RowLevelSecurity(name='workflows_workflowevent_rls', verbs='SELECT, INSERT'),
        ),
        migrations.AddConstraint(
            model_name='workflowevent',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_workflowevent_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='workflowevent',
            constraint=config.db.engagements.EngagementIsolation(name='workflows_workflowevent_engagement', parents={'execution_id': 'workflows_workflowexecution'}),
        ),
        migrations.AddConstraint(
            model_name='workflowevent',
            constraint=config.db.constraints.SameTenant(field='execution', name='workflows_workflowevent_execution_same', on_delete='CASCADE'),
        ),
        migrations.AddConstraint(
            model_name='workflowgate',
            constraint=models.UniqueConstraint(fields=('tenant',), name='workflows_workflowgate_once', violation_error_message='The gate exists.'),
        ),
        migrations.AddConstraint(
            model_name='workflowgate',
            constraint=models.CheckConstraint(condition=models.Q(('lanes__range', (1, 64)), ('lanes', None), _connector='OR'), name='workflows_workflowgate_lanes_range', violation_error_message='lanes: must be between 1 and 64.'),
        ),
        migrations.AddConstraint(
            model_name='workflowgate',
            constraint=config.db.constraints.RowLevelSecurity(name='workflows_workflowgate_rls'),
        ),
        migrations.AddConstraint(
            model_name='workflowgate',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_workflowgate_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='workflowgate',
            constraint=config.db.constraints.UpdatedAtTrigger(name='workflows_workflowgate_updated_at'),
        ),
        migrations.AddIndex(
            model_name='workflowlane',
            index=models.Index(condition=models.Q(('status', 'idle'), _negated=True), fields=['tenant'], name='wf_lane_busy'),
        ),
        migrations.AddConstraint(
            model_name='workflowlane',
            constraint=models.UniqueConstraint(fields=('tenant', 'lane'), name='workflows_workflowlane_once', violation_error_message='The lane exists.'),
        ),
        migrations.AddConstraint(
            model_name='workflowlane',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['idle', 'queued', 'running'])), name='workflows_workflowlane_status_known', violation_error_message='status: must be one of idle, queued, running.'),
        ),
        migrations.AddConstraint(
            model_name='workflowlane',
            constraint=config.db.constraints.RowLevelSecurity(name='workflows_workflowlane_rls'),
        ),
        migrations.AddConstraint(
            model_name='workflowlane',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_workflowlane_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='workflowlane',
            constraint=config.db.constraints.UpdatedAtTrigger(name='workflows_workflowlane_updated_at'),
        ),
        # Counters of a run change with every step, without changes of indexed columns.
        migrations.RunSQL(
            "ALTER TABLE workflows_workflowexecution SET (fillfactor = 70);"
            "ALTER TABLE workflows_stepexecution SET (fillfactor = 80);"
            "ALTER TABLE workflows_workflowlane SET (fillfactor = 50);",
            "ALTER TABLE workflows_workflowexecution RESET (fillfactor);"
            "ALTER TABLE workflows_stepexecution RESET (fillfactor);",
        ),
        migrations.RunSQL(run_functions.RUNS, run_functions.RUNS_DROP),
        migrations.RunSQL(clock_functions.CLOCK, clock_functions.CLOCK_DROP),
    ]
