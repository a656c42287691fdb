"""Tasks of agent runs; the `task_id` of a task is its ID."""

import django.db.models.functions.comparison
from django.db import migrations, models

from config.db.operations import AlterConstraints
from workflows import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0003_runs'),
        ('conversations', '0003_updated_at'),
        ('tenants', '0005_key_rate_limit'),
        ('workflows', '0004_owners'),
    ]

    operations = [
        AlterConstraints(remove=[('agenttask', 'workflows_agenttask_audit')]),
        migrations.RunSQL(triggers.TASK_IDS, migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name='agenttask', name='wf_agenttask_task'),
        # Reversible: the reverse adds the column with an empty text.
        migrations.AlterField(
            model_name='agenttask',
            name='task_id',
            field=models.CharField(default='', max_length=255),
        ),
        migrations.RemoveField(model_name='agenttask', name='task_id'),
        migrations.AddField(
            model_name='agenttask',
            name='task_id',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Cast('id', models.CharField(max_length=255)), help_text='ID of the task: that of the row.', output_field=models.CharField(max_length=255)),
        ),
        migrations.AddIndex(
            model_name='agenttask',
            index=models.Index(fields=['tenant', 'task_id'], name='wf_agenttask_task'),
        ),
        migrations.RunSQL(triggers.TASKS, triggers.TASKS_DROP),
    ]
