"""Keys, occurrences and outcomes of agent insights. Short locks.

Backwards, the insights that were learned from answers are deleted, because they have no vector.
"""

import django.core.validators
import django.db.models.functions.datetime
import pgvector.django.halfvec
from django.db import migrations, models

import config.db.constraints
from workflows import functions


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0010_learning'),
        ('workflows', '0008_documented_rules'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='agentlearningpattern',
            name='workflows_agentlearningpattern_audit',
        ),
        migrations.AddField(
            model_name='agentlearningpattern',
            name='failure_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Number of failures and rejections.'),
        ),
        migrations.AddField(
            model_name='agentlearningpattern',
            name='key',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='What was learned from answers: agent and model or tool. Empty: observed by a client.', max_length=255),
        ),
        migrations.AddField(
            model_name='agentlearningpattern',
            name='last_seen_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Last occurrence.'),
        ),
        migrations.AddField(
            model_name='agentlearningpattern',
            name='occurrences',
            field=models.PositiveIntegerField(db_default=1, default=1, help_text='Number of occurrences.'),
        ),
        migrations.AlterField(
            model_name='agentlearningpattern',
            name='confidence_score',
            field=models.FloatField(blank=True, help_text='Confidence at the last occurrence, from 0 to 1.', null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)]),
        ),
        migrations.AlterField(
            model_name='agentlearningpattern',
            name='embedding',
            field=pgvector.django.halfvec.HalfVectorField(blank=True, dimensions=1536, help_text='Vector of the evidence. Empty if it was learned from answers.', null=True),
        ),
        migrations.RunSQL(functions.INSIGHT_OUTCOMES, functions.INSIGHT_OUTCOMES_UNDO),
        migrations.AddConstraint(
            model_name='agentlearningpattern',
            constraint=models.CheckConstraint(condition=models.Q(('failure_count__lte', models.F('applied_count'))), name='workflows_agentlearningpattern_outcomes', violation_error_message='There cannot be more failures than outcomes.'),
        ),
        migrations.AddConstraint(
            model_name='agentlearningpattern',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('key', ''), _negated=True), ('embedding__isnull', False), _connector='OR'), name='workflows_agentlearningpattern_vector', violation_error_message='An observed insight needs a vector.'),
        ),
        migrations.AddConstraint(
            model_name='agentlearningpattern',
            constraint=models.UniqueConstraint(condition=models.Q(('key', ''), _negated=True), fields=('tenant', 'engagement', 'key'), name='workflows_agentlearningpattern_once', nulls_distinct=False, violation_error_message='This pattern already exists.'),
        ),
        migrations.AddConstraint(
            model_name='agentlearningpattern',
            constraint=config.db.constraints.AuditTrigger(label='workflows.agentlearningpattern', name='workflows_agentlearningpattern_audit', omit=('embedding', 'raw_evidence', 'occurrences', 'applied_count', 'failure_count', 'success_rate', 'confidence_score', 'last_seen_at', 'last_applied_at', 'expires_at')),
        ),
    ]
