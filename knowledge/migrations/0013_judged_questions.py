"""Judged questions, baselines of evaluations, and the progress of generating questions."""

import config.db.constraints
import config.db.ids
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
import knowledge.fields
import knowledge.models.evaluations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('config', '0003_scope_proofs'),
        ('knowledge', '0012_connectors'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='collection',
            name='knowledge_collection_audit',
        ),
        migrations.RemoveConstraint(
            model_name='ragevaluation',
            name='knowledge_ragevaluation_audit',
        ),
        migrations.AddField(
            model_name='collection',
            name='question_error',
            field=models.TextField(blank=True, db_default='', default='', editable=False, help_text='Error of the latest generation of judged questions.'),
        ),
        migrations.AddField(
            model_name='collection',
            name='question_progress',
            field=models.PositiveSmallIntegerField(blank=True, editable=False, help_text='Progress of generating judged questions in percent. Empty: none requested.', null=True),
        ),
        migrations.AddField(
            model_name='ragevaluation',
            name='differences',
            field=models.JSONField(db_default=[], default=list, editable=False, help_text='Difference of each metric to the baseline, with its 95 % interval and p value.'),
        ),
        migrations.AddField(
            model_name='ragevaluation',
            name='is_baseline',
            field=models.BooleanField(db_default=False, default=False, editable=False, help_text='Whether later evaluations of the collection are compared with this one.'),
        ),
        migrations.AddField(
            model_name='ragevaluation',
            name='scores',
            field=models.JSONField(db_default=[], default=list, editable=False, help_text='Metrics of hybrid search and of the answer for each accepted question, by its ID.'),
        ),
        migrations.AddField(
            model_name='ragevaluation',
            name='tolerance',
            field=models.FloatField(db_default=0.01, default=0.01, editable=False, help_text='Decrease of a metric below this baseline that is not a regression.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)]),
        ),
        migrations.AlterField(
            model_name='ragevaluation',
            name='judgements',
            field=models.JSONField(blank=True, default=dict, help_text='Grades of the relevant documents for each question, by document source. Empty: the accepted questions of the collection.'),
        ),
        # Between the fields and the constraint that refers to them, so that both can be reversed.
        migrations.CreateModel(
            name='JudgedQuestion',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('question', models.TextField(help_text='Text of the question.', max_length=2000)),
                ('grades', models.JSONField(blank=True, default=dict, help_text='Relevance grade of each document, from 0 to 10, by its source.', validators=[knowledge.models.evaluations.validate_grades])),
                ('gold', models.JSONField(blank=True, default=list, help_text='Texts of which a correct answer contains at least one.', validators=[knowledge.models.evaluations.validate_gold])),
                ('language', knowledge.fields.LanguageField(blank=True, db_default='', default='', editable=False, help_text='Language of the question as ISO 639-1 code. Empty: unknown.', max_length=8, validators=[django.core.validators.RegexValidator('^[a-z]{2}$', 'Enter an ISO 639-1 code, such as `de`.')])),
                ('origin', models.CharField(choices=[('answer_feedback', 'Feedback on an answer'), ('search_feedback', 'Feedback on a search'), ('model', 'Model'), ('manual', 'Manual')], default='manual', editable=False, help_text='Origin of the question.', max_length=20)),
                ('status', models.CharField(choices=[('suggested', 'Suggested'), ('accepted', 'Accepted'), ('rejected', 'Rejected')], default='suggested', editable=False, help_text='Whether evaluations use the question.', max_length=20)),
                ('is_shared', models.BooleanField(default=False, editable=False, help_text='Whether the whole tenant can see the question.')),
                ('conversation_id', models.UUIDField(blank=True, editable=False, help_text='Conversation of the rated answer.', null=True)),
                ('source_id', models.UUIDField(blank=True, editable=False, help_text='Rated message or search. Empty: none, or accepted.', null=True)),
                ('reviewed_at', models.DateTimeField(blank=True, editable=False, help_text='When it was accepted or rejected.', null=True)),
                ('chunk', models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='Passage that answers the question, if known.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.chunk')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection of the documents.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='knowledge.collection')),
                ('reviewed_by', models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='User who accepted or rejected the question.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='accounts.user')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='User whose feedback it comes from. Empty: none, several, or accepted.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.user')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [
                    models.Index(fields=['tenant', 'collection', 'status'], name='knowledge_judged_status'),
                    models.Index(fields=['tenant', 'conversation_id'], name='knowledge_judged_conversation'),
                    models.Index(fields=['tenant', 'chunk'], name='knowledge_judged_chunk'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('origin__in', ['answer_feedback', 'search_feedback', 'model', 'manual'])), name='knowledge_judgedquestion_origin_known'),
                    models.CheckConstraint(condition=models.Q(('status__in', ['suggested', 'accepted', 'rejected'])), name='knowledge_judgedquestion_status_known'),
                    models.CheckConstraint(condition=models.Q(models.Q(('status', 'accepted'), _negated=True), ('is_shared', True), _connector='OR'), name='knowledge_judged_accepted_shared', violation_error_message='An accepted question must be shared.'),
                    config.db.constraints.RowLevelSecurity(name='knowledge_judgedquestion_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (is_shared OR user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL)'),
                    models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_judgedquestion_tenant_id'),
                    config.db.constraints.SameTenant(field='collection', name='knowledge_judgedquestion_collection_same', on_delete='CASCADE'),
                    config.db.constraints.SameTenant(field='chunk', name='knowledge_judgedquestion_chunk_same', on_delete='SET NULL'),
                    config.db.constraints.SameTenant(column='user_id', field='user', name='knowledge_judgedquestion_user_same', on_delete='CASCADE', target='accounts.Membership'),
                    config.db.constraints.SameTenant(column='user_id', field='reviewed_by', name='knowledge_judgedquestion_reviewed_by_same', on_delete='SET NULL', target='accounts.Membership'),
                    config.db.constraints.UpdatedAtTrigger(name='knowledge_judgedquestion_updated_at'),
                    config.db.constraints.AuditTrigger(label='knowledge.judgedquestion', name='knowledge_judgedquestion_audit', redact=('question', 'grades', 'gold', 'language', 'origin', 'status', 'conversation_id', 'source_id')),
                ],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddConstraint(
            model_name='collection',
            constraint=config.db.constraints.AuditTrigger(label='knowledge.collection', name='knowledge_collection_audit', omit=('document_count', 'chunk_count', 'languages', 'question_progress', 'question_error')),
        ),
        migrations.AddConstraint(
            model_name='ragevaluation',
            constraint=models.UniqueConstraint(condition=models.Q(('is_baseline', True)), fields=('tenant', 'collection'), name='knowledge_evaluation_baseline', violation_error_message='The collection already has a baseline.'),
        ),
        migrations.AddConstraint(
            model_name='ragevaluation',
            constraint=models.CheckConstraint(condition=models.Q(('tolerance__range', (0, 1))), name='knowledge_evaluation_tolerance'),
        ),
        migrations.AddConstraint(
            model_name='ragevaluation',
            constraint=config.db.constraints.AuditTrigger(label='knowledge.ragevaluation', name='knowledge_ragevaluation_audit', omit=('judgements', 'results', 'scores', 'differences')),
        ),
    ]
