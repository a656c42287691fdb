"""Keys and outcomes of learning patterns, and their confidence as a function. Short locks."""

import django.core.validators
from django.db import migrations, models

import config.db.constraints
from knowledge import functions


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0009_document_limit'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='learningpattern',
            name='knowledge_learningpattern_audit',
        ),
        migrations.AddField(
            model_name='learningpattern',
            name='applied_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Number of known outcomes.'),
        ),
        migrations.AddField(
            model_name='learningpattern',
            name='failure_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Number of failures and rejections.'),
        ),
        migrations.AddField(
            model_name='learningpattern',
            name='key',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='What was learned from answers, such as `tool:calculator`. Empty: observed by a client.', max_length=255),
        ),
        migrations.AlterField(
            model_name='learningpattern',
            name='confidence',
            field=models.DecimalField(db_default=0, decimal_places=4, default=0, help_text='Confidence at the last occurrence, from 0 to 1.', max_digits=5, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)]),
        ),
        migrations.AlterField(
            model_name='learningpattern',
            name='success_rate',
            field=models.DecimalField(blank=True, decimal_places=4, help_text='Share of successful outcomes, from 0 to 1. Empty: unknown.', max_digits=5, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)]),
        ),
        migrations.RunSQL(functions.CONFIDENCE, functions.CONFIDENCE_DROP),
        migrations.RunSQL(functions.PATTERN_OUTCOMES, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='learningpattern',
            constraint=models.CheckConstraint(condition=models.Q(('failure_count__lte', models.F('applied_count'))), name='knowledge_pattern_outcomes', violation_error_message='There cannot be more failures than outcomes.'),
        ),
        migrations.AddConstraint(
            model_name='learningpattern',
            constraint=models.UniqueConstraint(condition=models.Q(('key', ''), _negated=True), fields=('tenant', 'user', 'key'), name='knowledge_pattern_once', violation_error_message='This pattern already exists.'),
        ),
        migrations.AddConstraint(
            model_name='learningpattern',
            constraint=config.db.constraints.AuditTrigger(label='knowledge.learningpattern', name='knowledge_learningpattern_audit', omit=('embedding', 'occurrences', 'applied_count', 'failure_count', 'success_rate', 'confidence', 'last_seen_at'), redact=('pattern_type', 'key', 'data', 'embedding_model')),
        ),
    ]
