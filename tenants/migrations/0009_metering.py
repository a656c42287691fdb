"""Meter events, and what caused the usage of a metric."""

import config.db.constraints
import config.db.ids
import config.db.partitions
import django.db.models.deletion
import django.db.models.manager
from decimal import Decimal
from django.db import migrations, models

from tenants import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0008_tenant_deletion'),
    ]

    operations = [
        migrations.RunSQL(triggers.ORIGIN, triggers.ORIGIN_DROP),
        migrations.CreateModel(
            name='MeterEvent',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.GeneratedField(db_persist=True, expression=models.Func(models.F('id'), function='conclave_uuid_time'), help_text='Creation time in milliseconds, taken from the ID.', output_field=models.DateTimeField())),
                ('engagement_id', models.UUIDField(blank=True, help_text='Engagement of the usage.', null=True)),
                ('agent_id', models.UUIDField(blank=True, help_text='Agent that caused the usage.', null=True)),
                ('user_id', models.UUIDField(blank=True, help_text='User who caused the usage.', null=True)),
                ('key_id', models.UUIDField(blank=True, help_text='API key that caused the usage.', null=True)),
                ('model', models.CharField(blank=True, db_default='', help_text='Model used.', max_length=100)),
                ('service', models.CharField(blank=True, db_default='', help_text='Provider, tool or API resource used.', max_length=100)),
                ('events', models.PositiveBigIntegerField(db_default=1, help_text='Number of calls or rows.')),
                ('completion_tokens', models.PositiveBigIntegerField(db_default=0, help_text='Output tokens among the tokens.')),
                ('cost', models.DecimalField(db_default=Decimal('0'), decimal_places=6, help_text='In US dollars.', max_digits=18)),
                ('metric_type', models.CharField(choices=[('api_calls', 'API calls'), ('tokens', 'Tokens'), ('agent_executions', 'Agent Executions'), ('tool_executions', 'Tool Executions'), ('workflow_executions', 'Workflow Executions'), ('rag_queries', 'RAG queries'), ('documents', 'Documents'), ('storage_bytes', 'Storage Bytes'), ('embeddings', 'Embeddings')], help_text='Metric.', max_length=50)),
                ('quantity', models.PositiveBigIntegerField(db_default=1, help_text='Amount, in the unit of the metric.')),
                ('occurred_at', models.DateTimeField(help_text='When it happened; may be before the creation time.')),
                ('is_rolled_up', models.BooleanField(db_default=False, editable=False, help_text='Whether the metrics include it.')),
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
        migrations.RemoveConstraint(
            model_name='usagemetric',
            name='tenants_usagemetric_type_known',
        ),
        migrations.AddField(
            model_name='usagemetric',
            name='completion_tokens',
            field=models.PositiveBigIntegerField(db_default=0, help_text='Output tokens among the tokens.'),
        ),
        migrations.AddField(
            model_name='usagemetric',
            name='cost',
            field=models.DecimalField(db_default=Decimal('0'), decimal_places=6, help_text='In US dollars.', max_digits=18),
        ),
        migrations.AddField(
            model_name='usagemetric',
            name='engagement_id',
            field=models.UUIDField(blank=True, help_text='Engagement of the usage.', null=True),
        ),
        migrations.AddField(
            model_name='usagemetric',
            name='events',
            field=models.PositiveBigIntegerField(db_default=1, help_text='Number of calls or rows.'),
        ),
        migrations.AddField(
            model_name='usagemetric',
            name='interval',
            field=models.CharField(choices=[('hour', 'Hour'), ('day', 'Day'), ('month', 'Month')], db_default='day', help_text='Length of the period.', max_length=10),
        ),
        migrations.AddField(
            model_name='usagemetric',
            name='key_id',
            field=models.UUIDField(blank=True, help_text='API key that caused the usage.', null=True),
        ),
        migrations.AddField(
            model_name='usagemetric',
            name='model',
            field=models.CharField(blank=True, db_default='', help_text='Model used.', max_length=100),
        ),
        migrations.AddField(
            model_name='usagemetric',
            name='service',
            field=models.CharField(blank=True, db_default='', help_text='Provider, tool or API resource used.', max_length=100),
        ),
        migrations.AlterField(
            model_name='usagemetric',
            name='metric_type',
            field=models.CharField(choices=[('api_calls', 'API calls'), ('tokens', 'Tokens'), ('agent_executions', 'Agent Executions'), ('tool_executions', 'Tool Executions'), ('workflow_executions', 'Workflow Executions'), ('rag_queries', 'RAG queries'), ('documents', 'Documents'), ('storage_bytes', 'Storage Bytes'), ('embeddings', 'Embeddings')], help_text='Metric.', max_length=50),
        ),
        migrations.AddIndex(
            model_name='usagemetric',
            index=models.Index(fields=['tenant', 'interval', 'id'], name='tenants_usagemetric_interval'),
        ),
        migrations.AddConstraint(
            model_name='usagemetric',
            constraint=models.CheckConstraint(condition=models.Q(('metric_type__in', ['api_calls', 'tokens', 'agent_executions', 'tool_executions', 'workflow_executions', 'rag_queries', 'documents', 'storage_bytes', 'embeddings'])), name='tenants_usagemetric_type_known'),
        ),
        migrations.AddConstraint(
            model_name='usagemetric',
            constraint=models.CheckConstraint(condition=models.Q(('interval__in', ['hour', 'day', 'month'])), name='tenants_usagemetric_interval_known'),
        ),
        migrations.AddField(
            model_name='meterevent',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddIndex(
            model_name='meterevent',
            index=models.Index(condition=models.Q(('is_rolled_up', False)), fields=['tenant', 'id'], name='tenants_meterevent_open'),
        ),
        migrations.AddConstraint(
            model_name='meterevent',
            constraint=models.CheckConstraint(condition=models.Q(('metric_type__in', ['api_calls', 'tokens', 'agent_executions', 'tool_executions', 'workflow_executions', 'rag_queries', 'documents', 'storage_bytes', 'embeddings'])), name='tenants_meterevent_type_known'),
        ),
        migrations.AddConstraint(
            model_name='meterevent',
            constraint=models.CheckConstraint(condition=models.Q(('cost__gte', 0)), name='tenants_meterevent_cost'),
        ),
        migrations.AddConstraint(
            model_name='meterevent',
            constraint=config.db.constraints.RowLevelSecurity(name='tenants_meterevent_rls', verbs='SELECT, INSERT'),
        ),
        migrations.AddConstraint(
            model_name='meterevent',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='tenants_meterevent_tenant_id'),
        ),
    ]
