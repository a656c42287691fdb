"""Column defaults of the documents: short locks, and no row changes."""

from django.db import migrations, models

from config.db.operations import group_operations


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0005_metering'),
    ]

    operations = group_operations([
        migrations.AlterField(
            model_name='conversation',
            name='context',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Context shared by the agents.'),
        ),
        migrations.AlterField(
            model_name='conversation',
            name='metadata',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Additional data as JSON.'),
        ),
        migrations.AlterField(
            model_name='conversation',
            name='mode',
            field=models.CharField(choices=[('single', 'Single'), ('multi', 'Multi'), ('collaborative', 'Collaborative')], db_default='single', default='single', help_text='How agents answer.', max_length=50),
        ),
        migrations.AlterField(
            model_name='conversation',
            name='total_cost',
            field=models.DecimalField(db_default=0, decimal_places=6, default=0, editable=False, help_text='Cost in US dollars.', max_digits=14),
        ),
        migrations.AlterField(
            model_name='conversation',
            name='total_tokens',
            field=models.PositiveBigIntegerField(db_default=0, default=0, editable=False, help_text='Tokens used.'),
        ),
        migrations.AlterField(
            model_name='message',
            name='cost',
            field=models.DecimalField(db_default=0, decimal_places=6, default=0, help_text='Cost (US dollars).', max_digits=12),
        ),
        migrations.AlterField(
            model_name='message',
            name='metadata',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Additional data as JSON.'),
        ),
        migrations.AlterField(
            model_name='message',
            name='token_count',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Tokens used.'),
        ),
        migrations.AlterField(
            model_name='sessionsummary',
            name='complexity_level',
            field=models.CharField(choices=[('low', 'Low'), ('medium', 'Medium'), ('high', 'High')], db_default='medium', default='medium', help_text='Complexity.', max_length=20),
        ),
        migrations.AlterField(
            model_name='sessionsummary',
            name='expert_questions_asked',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Questions to experts.'),
        ),
        migrations.AlterField(
            model_name='sessionsummary',
            name='follow_up_suggested',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether tasks remain.'),
        ),
        migrations.AlterField(
            model_name='sessionsummary',
            name='plans_created',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Plans.'),
        ),
        migrations.AlterField(
            model_name='sessionsummary',
            name='resolution_status',
            field=models.CharField(choices=[('completed', 'Completed'), ('partial', 'Partial'), ('unresolved', 'Unresolved'), ('abandoned', 'Abandoned')], db_default='completed', default='completed', help_text='Whether the conversation was resolved.', max_length=20),
        ),
    ])
