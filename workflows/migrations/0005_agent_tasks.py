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
        migrations.AlterField(
            model_name='agenttask',
            name='task_id',
            field=models.CharField(editable=False, help_text='ID of the task: that of the row.', max_length=255),
        ),
        migrations.RunSQL(triggers.TASK_IDS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='agenttask',
            constraint=models.CheckConstraint(condition=models.Q(('task_id', django.db.models.functions.comparison.Cast('id', models.CharField()))), name='workflows_agenttask_task_id', violation_error_message='The task ID must be the ID of the row.'),
        ),
        migrations.RunSQL(triggers.TASKS, triggers.TASKS_DROP),
    ]
