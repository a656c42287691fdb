"""All step kinds of the definition language; `wait` becomes `delay`. Updates the steps of that kind.

Backwards, kinds that did not exist become `tool`.
"""

from django.db import migrations, models

FORWARDS = "UPDATE workflows_stepexecution SET kind = 'delay' WHERE kind = 'wait'"
BACKWARDS = """
UPDATE workflows_stepexecution SET kind = CASE kind WHEN 'delay' THEN 'wait' ELSE 'tool' END
 WHERE kind NOT IN ('agent', 'tool', 'condition', 'approval', 'workflow')"""


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0010_forget_insights'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='stepexecution',
            name='workflows_stepexecution_kind_known',
        ),
        migrations.AlterField(
            model_name='stepexecution',
            name='kind',
            field=models.CharField(choices=[('agent', 'Agent'), ('expert_group', 'Expert Group'), ('tool', 'Tool'), ('mcp', 'Mcp'), ('retrieval', 'Retrieval'), ('http', 'Http'), ('condition', 'Condition'), ('switch', 'Switch'), ('map', 'Map'), ('join', 'Join'), ('delay', 'Delay'), ('wait_event', 'Wait Event'), ('approval', 'Approval'), ('form', 'Form'), ('transform', 'Transform'), ('workflow', 'Workflow'), ('emit', 'Emit')], help_text='Step kind.', max_length=20),
        ),
        migrations.AlterField(
            model_name='workflow',
            name='definition',
            field=models.JSONField(blank=True, default=dict, help_text='Document conclave.workflow/1: {"steps": [{"id": "draft", "kind": "agent", "agent": "writer"}]}.'),
        ),
        migrations.AlterField(
            model_name='workflow',
            name='retry_config',
            field=models.JSONField(blank=True, default=dict, help_text='Retry policy of failed steps: {"maximum_attempts": 3, "initial_interval": 1}.'),
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
        migrations.AddConstraint(
            model_name='stepexecution',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['agent', 'expert_group', 'tool', 'mcp', 'retrieval', 'http', 'condition', 'switch', 'map', 'join', 'delay', 'wait_event', 'approval', 'form', 'transform', 'workflow', 'emit'])), name='workflows_stepexecution_kind_known', violation_error_message='kind: must be one of agent, expert_group, tool, mcp, retrieval, http, condition, switch, map, join, delay, wait_event, approval, form, transform, workflow, emit.'),
        ),
    ]
