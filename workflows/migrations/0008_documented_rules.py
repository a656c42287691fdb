"""Scores without limits, and types of assets and dependencies that may be unknown.

Backwards, unknown types become the former defaults; scores beyond the limits must be changed first.
"""

from django.db import migrations, models

from config.db.operations import AlterConstraints, group_operations


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0007_documented_defaults'),
    ]

    operations = group_operations([
        AlterConstraints(
            remove=[
                ('agentperformancedaily', 'workflows_agentperformancedaily_error_rate_range'),
                ('agentperformancedaily', 'workflows_agentperformancedaily_retry_rate_range'),
                ('assessmentflow', 'workflows_assessmentflow_technical_debt_score_range'),
                ('assessmentflow', 'workflows_assessmentflow_complexity_score_range'),
                ('assessmentflow', 'workflows_assessmentflow_risk_score_range'),
                ('assessmentflow', 'workflows_assessmentflow_readiness_score_range'),
                ('asset', 'workflows_asset_completeness_score_range'),
                ('asset', 'workflows_asset_confidence_score_range'),
                ('assetdependency', 'workflows_assetdependency_confidence_score_range'),
                ('collectionflow', 'workflows_collectionflow_data_quality_score_range'),
            ],
        ),
        migrations.AlterField(
            model_name='agentperformancedaily',
            name='error_rate',
            field=models.FloatField(blank=True, help_text='Share of failed tasks, from 0 to 1.', null=True),
        ),
        migrations.AlterField(
            model_name='agentperformancedaily',
            name='retry_rate',
            field=models.FloatField(blank=True, help_text='Share of retried tasks, from 0 to 1.', null=True),
        ),
        migrations.AlterField(
            model_name='assessmentflow',
            name='complexity_score',
            field=models.FloatField(blank=True, help_text='Complexity, on the scale of the framework; 0 is the simplest.', null=True),
        ),
        migrations.AlterField(
            model_name='assessmentflow',
            name='readiness_score',
            field=models.FloatField(blank=True, help_text='Migration readiness, on the scale of the framework; 0 is not ready.', null=True),
        ),
        migrations.AlterField(
            model_name='assessmentflow',
            name='risk_score',
            field=models.FloatField(blank=True, help_text='Risk, on the scale of the framework; 0 is none.', null=True),
        ),
        migrations.AlterField(
            model_name='assessmentflow',
            name='technical_debt_score',
            field=models.FloatField(blank=True, help_text='Technical debt, on the scale of the framework; 0 is none.', null=True),
        ),
        migrations.AlterField(
            model_name='asset',
            name='asset_type',
            field=models.CharField(blank=True, choices=[('server', 'Server'), ('application', 'Application'), ('database', 'Database'), ('service', 'Service'), ('network', 'Network'), ('storage', 'Storage')], help_text='Type. Empty: unknown.', max_length=100, null=True, verbose_name='type'),
        ),
        migrations.AlterField(
            model_name='asset',
            name='completeness_score',
            field=models.FloatField(blank=True, help_text='Completeness of the data, on the scale of the source: from 0 to 1, or in percent.', null=True),
        ),
        migrations.AlterField(
            model_name='asset',
            name='confidence_score',
            field=models.FloatField(blank=True, help_text='Confidence in the data, on the scale of the source: from 0 to 1, or in percent.', null=True),
        ),
        migrations.AlterField(
            model_name='assetdependency',
            name='confidence_score',
            field=models.FloatField(db_default=1.0, default=1.0, help_text='Confidence; 1 is certain, unless the source uses another scale.'),
        ),
        migrations.AlterField(
            model_name='assetdependency',
            name='dependency_type',
            field=models.CharField(blank=True, choices=[('runtime', 'Runtime'), ('compile', 'Compile'), ('network', 'Network'), ('data', 'Data')], help_text='Type. Empty: unknown.', max_length=50, null=True),
        ),
        migrations.AlterField(
            model_name='assetdependency',
            name='discovered_by',
            field=models.CharField(blank=True, choices=[('agent', 'Agent'), ('manual', 'Manual'), ('import', 'Import')], help_text='Discovered by. Empty: unknown.', max_length=50, null=True),
        ),
        migrations.AlterField(
            model_name='collectionflow',
            name='data_quality_score',
            field=models.FloatField(blank=True, help_text='Data quality, on the scale of the source: from 0 to 1, or in percent.', null=True),
        ),
    ])
