"""Column defaults of the documents: short locks, and no row changes."""

import django.core.validators
import workflows.models.flows
from django.db import migrations, models

from config.db.operations import group_operations


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0006_engagement_isolation'),
    ]

    operations = group_operations([
        migrations.AlterField(
            model_name='agentlearningpattern',
            name='applied_count',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of applications.'),
        ),
        migrations.AlterField(
            model_name='agentlearningpattern',
            name='validated',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether a user confirmed it.'),
        ),
        migrations.AlterField(
            model_name='agentperformancedaily',
            name='failed_tasks',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of failed tasks.'),
        ),
        migrations.AlterField(
            model_name='agentperformancedaily',
            name='successful_tasks',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of completed tasks.'),
        ),
        migrations.AlterField(
            model_name='agentperformancedaily',
            name='total_api_calls',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of model and tool calls.'),
        ),
        migrations.AlterField(
            model_name='agentperformancedaily',
            name='total_cost',
            field=models.DecimalField(db_default=0, decimal_places=6, default=0, help_text='In US dollars.', max_digits=14),
        ),
        migrations.AlterField(
            model_name='agentperformancedaily',
            name='total_tasks',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of tasks.'),
        ),
        migrations.AlterField(
            model_name='agentperformancedaily',
            name='total_tokens_used',
            field=models.PositiveBigIntegerField(db_default=0, default=0, help_text='Number of tokens used.'),
        ),
        migrations.AlterField(
            model_name='agenttask',
            name='input_data',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Input of the task.'),
        ),
        migrations.AlterField(
            model_name='agenttask',
            name='output_data',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Output of the task.'),
        ),
        migrations.AlterField(
            model_name='agenttask',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='pending', default='pending', help_text='Status.', max_length=50),
        ),
        migrations.AlterField(
            model_name='assessmentflow',
            name='recommendations',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Recommendations.'),
        ),
        migrations.AlterField(
            model_name='assessmentflow',
            name='stages_completed',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Completed stages.'),
        ),
        migrations.AlterField(
            model_name='assessmentflow',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('initialized', 'Initialized'), ('running', 'Running'), ('paused', 'Paused'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='pending', default='pending', help_text='Flow status.', max_length=50),
        ),
        migrations.AlterField(
            model_name='asset',
            name='blockers',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Obstacles to the migration.'),
        ),
        migrations.AlterField(
            model_name='asset',
            name='technology_stack',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='For example ["java", "oracle"].'),
        ),
        migrations.AlterField(
            model_name='assetdependency',
            name='confidence_score',
            field=models.FloatField(db_default=1.0, default=1.0, help_text='Confidence, from 0 to 1.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)]),
        ),
        migrations.AlterField(
            model_name='assetdependency',
            name='direction',
            field=models.CharField(choices=[('inbound', 'Inbound'), ('outbound', 'Outbound'), ('bidirectional', 'Bidirectional')], db_default='outbound', default='outbound', help_text='Direction of data.', max_length=20),
        ),
        migrations.AlterField(
            model_name='assetdependency',
            name='evidence',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Supporting evidence.'),
        ),
        migrations.AlterField(
            model_name='assetdependency',
            name='strength',
            field=models.CharField(choices=[('weak', 'Weak'), ('strong', 'Strong'), ('critical', 'Critical')], db_default='strong', default='strong', help_text='Strength of dependency.', max_length=20),
        ),
        migrations.AlterField(
            model_name='calendar',
            name='name',
            field=models.CharField(db_default='Default Calendar', default='Default Calendar', help_text='Name of the calendar.', max_length=255),
        ),
        migrations.AlterField(
            model_name='calendarevent',
            name='event_type',
            field=models.CharField(db_default='meeting', default='meeting', help_text='Type of event.', max_length=50),
        ),
        migrations.AlterField(
            model_name='calendarevent',
            name='importance_weight',
            field=models.FloatField(db_default=1.0, default=1.0, help_text='Importance weight.', validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='calendarevent',
            name='reminder_minutes',
            field=models.PositiveIntegerField(db_default=15, default=15, help_text='Minutes before the event for the reminder.'),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='collection_methods',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Collection methods.'),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='items_failed',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of failed items.'),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='items_processed',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of processed items.'),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='progress_percentage',
            field=models.FloatField(db_default=0, default=0, help_text='Progress in percent.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(100)]),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='recommendations',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Recommendations.'),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('initialized', 'Initialized'), ('running', 'Running'), ('paused', 'Paused'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='initialized', default='initialized', help_text='Flow status.', max_length=50),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='target_systems',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Systems to collect from.'),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='total_items_collected',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of items.'),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='validation_errors_count',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of invalid values.'),
        ),
        migrations.AlterField(
            model_name='discoveryflow',
            name='discovered_assets_count',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of assets.'),
        ),
        migrations.AlterField(
            model_name='discoveryflow',
            name='discovered_patterns',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Detected patterns.'),
        ),
        migrations.AlterField(
            model_name='discoveryflow',
            name='discovery_scope',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Included and excluded items.'),
        ),
        migrations.AlterField(
            model_name='discoveryflow',
            name='discovery_type',
            field=models.CharField(choices=[('automated', 'Automated'), ('manual', 'Manual'), ('hybrid', 'Hybrid')], db_default='automated', default='automated', help_text='Method.', max_length=50),
        ),
        migrations.AlterField(
            model_name='discoveryflow',
            name='phases',
            field=models.JSONField(blank=True, db_default={'agent_loading': {'status': 'pending'}, 'analysis': {'status': 'pending'}, 'data_collection': {'status': 'pending'}, 'environment_scanning': {'status': 'pending'}, 'initialization': {'status': 'pending'}, 'reporting': {'status': 'pending'}}, default=workflows.models.flows.discovery_phases, help_text='Status of each phase: {"analysis": {"status": "pending"}}.'),
        ),
        migrations.AlterField(
            model_name='discoveryflow',
            name='recommendations',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Recommendations.'),
        ),
        migrations.AlterField(
            model_name='discoveryflow',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('initialized', 'Initialized'), ('running', 'Running'), ('paused', 'Paused'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='initialized', default='initialized', help_text='Flow status.', max_length=50),
        ),
        migrations.AlterField(
            model_name='discoveryflow',
            name='target_platforms',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Platforms to discover.'),
        ),
        migrations.AlterField(
            model_name='executionflow',
            name='recommendations',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Recommendations.'),
        ),
        migrations.AlterField(
            model_name='executionflow',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('initialized', 'Initialized'), ('running', 'Running'), ('paused', 'Paused'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='initialized', default='initialized', help_text='Flow status.', max_length=50),
        ),
        migrations.AlterField(
            model_name='masterflow',
            name='config',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Settings.'),
        ),
        migrations.AlterField(
            model_name='masterflow',
            name='execution_metrics',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Times, tokens and counts.'),
        ),
        migrations.AlterField(
            model_name='masterflow',
            name='phase_history',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Past phases, oldest first: [{"phase": "discovery", "status": "completed"}].'),
        ),
        migrations.AlterField(
            model_name='masterflow',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('initialized', 'Initialized'), ('running', 'Running'), ('paused', 'Paused'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='initialized', default='initialized', help_text='Flow status.', max_length=50),
        ),
        migrations.AlterField(
            model_name='planningflow',
            name='recommendations',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Recommendations.'),
        ),
        migrations.AlterField(
            model_name='planningflow',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('initialized', 'Initialized'), ('running', 'Running'), ('paused', 'Paused'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='initialized', default='initialized', help_text='Flow status.', max_length=50),
        ),
        migrations.AlterField(
            model_name='project',
            name='status',
            field=models.CharField(choices=[('active', 'Active'), ('on_hold', 'On Hold'), ('completed', 'Completed'), ('archived', 'Archived')], db_default='active', default='active', help_text='Project status.', max_length=50),
        ),
        migrations.AlterField(
            model_name='task',
            name='completion_percentage',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Progress in percent.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(100)]),
        ),
        migrations.AlterField(
            model_name='task',
            name='complexity_weight',
            field=models.FloatField(db_default=1.0, default=1.0, help_text='Complexity weight.', validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='task',
            name='importance_weight',
            field=models.FloatField(db_default=1.0, default=1.0, help_text='Importance weight.', validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='task',
            name='urgency_weight',
            field=models.FloatField(db_default=1.0, default=1.0, help_text='Urgency weight.', validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='task',
            name='user_priority_weight',
            field=models.FloatField(db_default=1.0, default=1.0, help_text='Weight set by the user.', validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='workflow',
            name='error_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Number of failures.'),
        ),
        migrations.AlterField(
            model_name='workflow',
            name='run_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Number of runs.'),
        ),
        migrations.AlterField(
            model_name='workflow',
            name='status',
            field=models.CharField(choices=[('active', 'Active'), ('paused', 'Paused'), ('archived', 'Archived')], db_default='active', default='active', help_text='Only active workflows can start.', max_length=50),
        ),
        migrations.AlterField(
            model_name='workflow',
            name='success_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Number of successes.'),
        ),
        migrations.AlterField(
            model_name='workflowexecution',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('waiting', 'Waiting'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='pending', default='pending', help_text='Run status.', max_length=50),
        ),
        migrations.AlterField(
            model_name='workflowexecution',
            name='steps_completed',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of finished steps.'),
        ),
    ])
