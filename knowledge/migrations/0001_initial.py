import config.db.constraints
import config.db.ids
import config.db.partitions
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
import pgvector.django.halfvec
import pgvector.django.indexes
from django.conf import settings
from django.db import migrations, models

from config.db.operations import group_operations

from knowledge import functions, triggers


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('audit', '0001_initial'),
    ]

    operations = group_operations([
        migrations.CreateModel(
            name='Collection',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('name', models.CharField(help_text='Name of the collection.', max_length=255)),
                ('slug', models.SlugField(help_text='Name in the API and on the command line.', max_length=100)),
                ('description', models.TextField(blank=True, default='', help_text='Description of the contents.')),
                ('embedding_model', models.CharField(default='lexical-hash-384', help_text='Embedding model of the chunks.', max_length=100)),
                ('next_embedding_model', models.CharField(blank=True, default='', editable=False, help_text='Embedding model of a change in progress. Search uses the current one until it completes.', max_length=100)),
                ('dimensions', models.PositiveIntegerField(default=384, editable=False, help_text='Vector dimensions.')),
                ('chunk_size', models.PositiveIntegerField(default=256, help_text='Maximum number of tokens per chunk.')),
                ('chunk_overlap', models.PositiveIntegerField(default=32, help_text='Tokens shared by adjacent chunks.')),
                ('document_count', models.PositiveIntegerField(default=0, editable=False, help_text='Number of documents with chunks.')),
                ('chunk_count', models.PositiveIntegerField(default=0, editable=False, help_text='Number of chunks.')),
                ('status', models.CharField(choices=[('active', 'Active'), ('indexing', 'Indexing'), ('archived', 'Archived')], default='active', help_text='Whether the collection is in use.', max_length=50)),
                ('settings', models.JSONField(blank=True, default=dict, help_text='Search settings, such as `recall`.')),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Additional data as JSON.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'status'], name='knowledge_collection_status'), django.contrib.postgres.indexes.GinIndex(fields=['metadata'], name='knowledge_collection_metadata')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'slug'), name='knowledge_collection_slug', violation_error_message='A collection with this slug already exists.'), models.CheckConstraint(condition=models.Q(('chunk_size__gt', 0)), name='knowledge_collection_chunk_size'), models.CheckConstraint(condition=models.Q(('chunk_overlap__lt', models.F('chunk_size'))), name='knowledge_collection_overlap_below_size', violation_error_message='The overlap must be smaller than the chunk size.'), models.CheckConstraint(condition=models.Q(('status__in', ['active', 'indexing', 'archived'])), name='knowledge_collection_status_known'), config.db.constraints.RowLevelSecurity(name='knowledge_collection_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_collection_tenant_id'), config.db.constraints.AuditTrigger(label='knowledge.collection', name='knowledge_collection_audit', omit=('document_count', 'chunk_count'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='Embedding',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('content', models.TextField(help_text='The text.')),
                ('embedding', pgvector.django.halfvec.HalfVectorField(dimensions=384, editable=False, help_text='The vector.')),
                ('embedding_model', models.CharField(default='lexical-hash-384', help_text='Model that computed it.', max_length=100)),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Additional data, such as the origin.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', '-created_at'], name='knowledge_embedding_latest'), django.contrib.postgres.indexes.GinIndex(fields=['metadata'], name='knowledge_embedding_metadata'), pgvector.django.indexes.HnswIndex(fields=['embedding'], name='knowledge_embedding_cosine', opclasses=['halfvec_cosine_ops'])],
                'constraints': [config.db.constraints.RowLevelSecurity(name='knowledge_embedding_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_embedding_tenant_id'), config.db.constraints.AuditTrigger(label='knowledge.embedding', name='knowledge_embedding_audit', omit=('embedding',))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='LearningPattern',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('pattern_type', models.CharField(choices=[('terminology_usage', 'Terminology Usage'), ('ai_preference', 'Ai Preference'), ('workflow_pattern', 'Workflow Pattern'), ('communication_style', 'Communication Style'), ('tool_usage', 'Tool Usage'), ('other', 'Other')], help_text='Type of pattern.', max_length=100)),
                ('data', models.JSONField(default=dict, help_text='The pattern, in the format of its type.')),
                ('confidence', models.DecimalField(decimal_places=4, default=0, help_text='Confidence, from 0 to 1.', max_digits=5, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)])),
                ('occurrences', models.PositiveIntegerField(default=1, help_text='Number of occurrences.')),
                ('success_rate', models.DecimalField(blank=True, decimal_places=4, help_text='Share of successful applications, from 0 to 1. Empty: unknown.', max_digits=5, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)])),
                ('embedding', pgvector.django.halfvec.HalfVectorField(blank=True, dimensions=1536, editable=False, help_text='Vector, if computed.', null=True)),
                ('embedding_model', models.CharField(blank=True, default='', editable=False, help_text='Embedding model. Vectors of different models are not compared.', max_length=100)),
                ('last_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Last occurrence.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'user', '-last_seen_at'], name='knowledge_pattern_user'), models.Index(fields=['tenant', 'pattern_type'], name='knowledge_pattern_type'), models.Index(fields=['tenant', '-confidence'], name='knowledge_pattern_confidence'), django.contrib.postgres.indexes.GinIndex(fields=['data'], name='knowledge_pattern_data'), pgvector.django.indexes.HnswIndex(fields=['embedding'], name='knowledge_pattern_cosine', opclasses=['halfvec_cosine_ops'])],
                'constraints': [models.CheckConstraint(condition=models.Q(('pattern_type__in', ['terminology_usage', 'ai_preference', 'workflow_pattern', 'communication_style', 'tool_usage', 'other'])), name='knowledge_pattern_type_known'), models.CheckConstraint(condition=models.Q(('confidence__range', (0, 1))), name='knowledge_pattern_confidence_range', violation_error_message='The confidence must be between 0 and 1.'), models.CheckConstraint(condition=models.Q(('success_rate', None), ('success_rate__range', (0, 1)), _connector='OR'), name='knowledge_pattern_success_range', violation_error_message='The success rate must be between 0 and 1.'), config.db.constraints.RowLevelSecurity(name='knowledge_learningpattern_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_learningpattern_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='knowledge_learningpattern_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='knowledge.learningpattern', name='knowledge_learningpattern_audit', omit=('embedding', 'occurrences', 'last_seen_at'), redact=('pattern_type', 'data', 'confidence', 'success_rate', 'embedding_model'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='Term',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('term', models.CharField(help_text='Word or phrase.', max_length=500)),
                ('definition', models.TextField(help_text='Meaning of the term.')),
                ('context', models.CharField(blank=True, choices=[('technical', 'Technical'), ('business', 'Business'), ('personal', 'Personal'), ('casual', 'Casual')], default='', help_text='Where the term is used.', max_length=100)),
                ('usage_examples', models.JSONField(blank=True, default=list, help_text='Example sentences.')),
                ('frequency', models.PositiveIntegerField(default=1, help_text='Number of uses.', validators=[django.core.validators.MinValueValidator(0)])),
                ('last_used_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Latest use.')),
                ('tags', models.JSONField(blank=True, default=list, help_text='Tags for filtering.')),
                ('is_public', models.BooleanField(default=False, help_text='Whether colleagues can see it.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'user', '-id'], name='knowledge_term_user'), models.Index(fields=['tenant', 'term'], name='knowledge_term_term'), models.Index(fields=['tenant', 'context'], name='knowledge_term_context'), models.Index(fields=['tenant', '-frequency'], name='knowledge_term_frequency'), models.Index(condition=models.Q(('is_public', True)), fields=['tenant'], name='knowledge_term_public'), django.contrib.postgres.indexes.GinIndex(fields=['tags'], name='knowledge_term_tags')],
                'constraints': [models.CheckConstraint(condition=models.Q(('context__in', ['technical', 'business', 'personal', 'casual', ''])), name='knowledge_term_context_known'), models.CheckConstraint(condition=models.Q(('term', ''), _negated=True), name='knowledge_term_named', violation_error_message='The term cannot be empty.'), config.db.constraints.RowLevelSecurity(name='knowledge_term_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR is_public)', write='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_term_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='knowledge_term_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='knowledge.term', name='knowledge_term_audit', omit=('frequency', 'last_used_at'), redact=('term', 'definition', 'context', 'usage_examples', 'tags'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='Document',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection of the document.', on_delete=django.db.models.deletion.CASCADE, related_name='documents', to='knowledge.collection')),
                ('title', models.CharField(blank=True, default='', help_text='Title of the document.', max_length=500)),
                ('filename', models.CharField(help_text='Name of the file.', max_length=500)),
                ('source', models.CharField(help_text='Path in the ingested folder, file name or URL. Unique per collection.', max_length=1024)),
                ('origin', models.CharField(choices=[('upload', 'Upload'), ('folder', 'Folder'), ('url', 'URL'), ('import', 'Import')], default='folder', editable=False, help_text='How the document was added.', max_length=50)),
                ('file_type', models.CharField(blank=True, default='', help_text='Media type.', max_length=100)),
                ('file_size', models.PositiveBigIntegerField(default=0, help_text='File size in bytes.')),
                ('checksum', models.CharField(blank=True, default='', help_text='SHA-256 of the latest uploaded file.', max_length=64)),
                ('indexed_checksum', models.CharField(blank=True, default='', editable=False, help_text='SHA-256 of the file that the chunks come from. Empty: no chunks.', max_length=64)),
                ('storage_path', models.CharField(blank=True, default='', help_text='Path of the stored file, if stored.', max_length=1024)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('processing', 'Processing'), ('indexed', 'Indexed'), ('failed', 'Failed')], default='pending', help_text='Indexing status.', max_length=50)),
                ('progress', models.PositiveSmallIntegerField(default=0, editable=False, help_text='Indexing progress in percent.')),
                ('chunk_count', models.PositiveIntegerField(default=0, editable=False, help_text='Number of chunks.')),
                ('error_message', models.TextField(blank=True, default='', help_text='Error message.')),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Author, language and other data.')),
                ('uploaded_by', models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='User who uploaded it.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('uploaded_at', models.DateTimeField(blank=True, editable=False, help_text='When the document was uploaded.', null=True)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'status'], name='knowledge_document_status'), django.contrib.postgres.indexes.GinIndex(fields=['metadata'], name='knowledge_document_metadata')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'collection', 'source'), name='knowledge_document_source', violation_error_message='The collection already has a document with this source.'), models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'processing', 'indexed', 'failed'])), name='knowledge_document_status_known'), models.CheckConstraint(condition=models.Q(('origin__in', ['upload', 'folder', 'url', 'import'])), name='knowledge_document_origin_known'), models.CheckConstraint(condition=models.Q(('progress__lte', 100)), name='knowledge_document_progress_percent'), config.db.constraints.RowLevelSecurity(name='knowledge_document_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_document_tenant_id'), config.db.constraints.SameTenant(field='collection', name='knowledge_document_collection_same', on_delete='CASCADE'), config.db.constraints.SameTenant(column='user_id', field='uploaded_by', name='knowledge_document_uploaded_by_same', on_delete='SET NULL', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='knowledge.document', name='knowledge_document_audit', omit=('chunk_count', 'progress'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='RagEvaluation',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('name', models.CharField(help_text='Name of the evaluation.', max_length=255)),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Searched collection.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='knowledge.collection')),
                ('judgements', models.JSONField(help_text='Grades of the relevant documents for each question, by document source.')),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('completed', 'Completed'), ('failed', 'Failed')], default='pending', editable=False, help_text='Status of the evaluation.', max_length=20)),
                ('results', models.JSONField(default=list, editable=False, help_text='nDCG@10, recall@10 and MRR per strategy.')),
                ('error_message', models.TextField(blank=True, default='', editable=False, help_text='Error message.')),
                ('completed_at', models.DateTimeField(blank=True, editable=False, help_text='When the evaluation finished.', null=True)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'collection', 'status'], name='knowledge_evaluation_coll')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'completed', 'failed'])), name='knowledge_ragevaluation_status_known'), config.db.constraints.RowLevelSecurity(name='knowledge_ragevaluation_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_ragevaluation_tenant_id'), config.db.constraints.SameTenant(field='collection', name='knowledge_ragevaluation_collection_same', on_delete='CASCADE'), config.db.constraints.AuditTrigger(label='knowledge.ragevaluation', name='knowledge_ragevaluation_audit', omit=('judgements', 'results'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='RagQuery',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('created_at', models.GeneratedField(db_persist=True, expression=models.Func(models.F('id'), function='conclave_uuid_time'), help_text='Creation time in milliseconds, taken from the ID.', output_field=models.DateTimeField())),
                ('collection', models.ForeignKey(blank=True, db_constraint=False, help_text='Searched collection. Empty: several.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
                ('agent_id', models.UUIDField(blank=True, help_text='Agent that searched.', null=True)),
                ('conversation_id', models.UUIDField(blank=True, help_text='Conversation of the search.', null=True)),
                ('user_id', models.UUIDField(blank=True, help_text='User who searched.', null=True)),
                ('query_text', models.TextField(help_text='Text of the query.')),
                ('results', models.JSONField(default=list, help_text='Chunk IDs and scores, best first.')),
                ('top_score', models.FloatField(help_text='Score of the best, from 0 to 1.', null=True)),
                ('retrieval_strategy', models.CharField(choices=[('hybrid', 'Hybrid'), ('semantic', 'Semantic'), ('keyword', 'Keyword')], default='hybrid', help_text='Retrieval strategy.', max_length=50)),
                ('filters', models.JSONField(default=dict, help_text='Applied filters.')),
                ('response_time_ms', models.PositiveIntegerField(default=0, help_text='Duration in milliseconds.')),
                ('user_feedback', models.CharField(blank=True, choices=[('helpful', 'Helpful'), ('unhelpful', 'Unhelpful')], default='', help_text='Feedback of the user.', max_length=20)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', '-id'], name='knowledge_ragquery_latest'), models.Index(fields=['tenant', 'collection'], name='knowledge_ragquery_collection')],
                'constraints': [models.CheckConstraint(condition=models.Q(('top_score', None), ('top_score__range', (0, 1)), _connector='OR'), name='knowledge_ragquery_top_score'), models.CheckConstraint(condition=models.Q(('retrieval_strategy__in', ['hybrid', 'semantic', 'keyword'])), name='knowledge_ragquery_strategy_known'), models.CheckConstraint(condition=models.Q(('user_feedback__in', ['', 'helpful', 'unhelpful'])), name='knowledge_ragquery_feedback_known'), config.db.constraints.RowLevelSecurity(name='knowledge_ragquery_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_ragquery_tenant_id'), config.db.constraints.SameTenant(field='collection', name='knowledge_ragquery_collection_same', on_delete='CASCADE')],
            },
            bases=(config.db.partitions.PartitionedMixin, models.Model),
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='TermEmbedding',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('term', models.ForeignKey(db_constraint=False, help_text='The term.', on_delete=django.db.models.deletion.CASCADE, related_name='embeddings', to='knowledge.term')),
                ('embedding', pgvector.django.halfvec.HalfVectorField(dimensions=1536, editable=False, help_text='The vector.')),
                ('embedding_model', models.CharField(default='text-embedding-3-small', help_text='Model that computed it.', max_length=100)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [pgvector.django.indexes.HnswIndex(fields=['embedding'], name='knowledge_termembedding_cosine', opclasses=['halfvec_cosine_ops'])],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'term', 'embedding_model'), name='knowledge_termembedding_once', violation_error_message='The term already has a vector of this model.'), config.db.constraints.RowLevelSecurity(name='knowledge_termembedding_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND term_id IN (SELECT id FROM knowledge_term)', write='tenant_id = (SELECT conclave_current_tenant()) AND term_id IN (SELECT id FROM knowledge_term WHERE user_id = (SELECT conclave_current_user()))'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_termembedding_tenant_id'), config.db.constraints.SameTenant(field='term', name='knowledge_termembedding_term_same', on_delete='CASCADE')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='TermRelation',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('term', models.ForeignKey(db_constraint=False, help_text='The term.', on_delete=django.db.models.deletion.CASCADE, related_name='relations', to='knowledge.term')),
                ('related', models.ForeignKey(db_constraint=False, help_text='The related term.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='knowledge.term')),
                ('kind', models.CharField(choices=[('related', 'Related'), ('synonym', 'Synonym')], default='related', help_text='Whether the terms are synonyms or related.', max_length=50)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'related'], name='knowledge_termrelation_related')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'term', 'related'), name='knowledge_termrelation_once', violation_error_message='These terms are already related.'), models.CheckConstraint(condition=models.Q(('term', models.F('related')), _negated=True), name='knowledge_termrelation_other', violation_error_message='A term cannot be related to itself.'), models.CheckConstraint(condition=models.Q(('kind__in', ['related', 'synonym'])), name='knowledge_termrelation_kind_known'), config.db.constraints.RowLevelSecurity(name='knowledge_termrelation_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND term_id IN (SELECT id FROM knowledge_term) AND related_id IN (SELECT id FROM knowledge_term)', write='tenant_id = (SELECT conclave_current_tenant()) AND term_id IN (SELECT id FROM knowledge_term WHERE user_id = (SELECT conclave_current_user())) AND related_id IN (SELECT id FROM knowledge_term)'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_termrelation_tenant_id'), config.db.constraints.SameTenant(field='term', name='knowledge_termrelation_term_same', on_delete='CASCADE'), config.db.constraints.SameTenant(field='related', name='knowledge_termrelation_related_same', on_delete='CASCADE'), config.db.constraints.AuditTrigger(label='knowledge.termrelation', name='knowledge_termrelation_audit', redact=('kind',))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='Chunk',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='chunks', to='knowledge.collection')),
                ('document', models.ForeignKey(db_constraint=False, help_text='Document of the chunk.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='chunks', to='knowledge.document')),
                ('chunk_index', models.PositiveIntegerField(help_text='Position in the document, starting at 0.')),
                ('content', models.TextField(help_text='The text.')),
                ('context', models.CharField(blank=True, default='', help_text='Headings above it.', max_length=500)),
                ('page', models.PositiveIntegerField(blank=True, help_text='Page where it starts.', null=True)),
                ('start', models.PositiveIntegerField(default=0, help_text='Offset of its first character in the document.')),
                ('end', models.PositiveIntegerField(default=0, help_text='Offset after its last character.')),
                ('token_count', models.PositiveIntegerField(default=0, help_text='Estimated number of tokens.')),
                ('embedding_model', models.CharField(blank=True, default='', help_text='Embedding model.', max_length=100)),
                ('semantic_keywords', models.JSONField(blank=True, help_text='Extracted keywords.', null=True)),
                ('semantic_category', models.CharField(blank=True, default='', help_text='Category.', max_length=255)),
                ('semantic_summary', models.TextField(blank=True, default='', help_text='Summary.')),
                ('extracted_entities', models.JSONField(blank=True, help_text='Named entities found.', null=True)),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Additional data as JSON.')),
                ('search', models.GeneratedField(db_persist=True, expression=django.contrib.postgres.search.CombinedSearchVector(django.contrib.postgres.search.SearchVector('context', config='english', weight='A'), '||', django.contrib.postgres.search.SearchVector('content', config='english', weight='B'), django.contrib.postgres.search.SearchConfig('english')), help_text='Full-text search vector.', output_field=django.contrib.postgres.search.SearchVectorField())),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [django.contrib.postgres.indexes.GinIndex(fields=['search'], name='knowledge_chunk_search'), django.contrib.postgres.indexes.GinIndex(fields=['metadata'], name='knowledge_chunk_metadata'), models.Index(fields=['tenant', 'collection'], name='knowledge_chunk_collection')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'document', 'chunk_index'), name='knowledge_chunk_index_once'), config.db.constraints.RowLevelSecurity(name='knowledge_chunk_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_chunk_tenant_id'), config.db.constraints.SameTenant(field='collection', name='knowledge_chunk_collection_same', on_delete='CASCADE'), config.db.constraints.SameTenant(field='document', name='knowledge_chunk_document_same', on_delete='CASCADE'), config.db.constraints.AuditTrigger(label='knowledge.chunk', level='statement', name='knowledge_chunk_audit', omit=('content', 'search', 'semantic_summary', 'semantic_keywords', 'extracted_entities'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='ChunkVector1024',
            fields=[
                ('id', models.UUIDField(editable=False, help_text='ID of the chunk.', primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection of the chunk.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
                ('embedding', pgvector.django.halfvec.HalfVectorField(dimensions=1024, help_text='The vector.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
            },
            bases=(config.db.partitions.PartitionedByTenantMixin, models.Model),
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name='chunkvector1024',
            index=models.Index(fields=['tenant', 'collection'], name='knowledge_chunkvector1024_coll'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector1024',
            constraint=config.db.constraints.SameTenant(field='id', name='knowledge_chunkvector1024_chunk', on_delete='CASCADE', target='knowledge.Chunk'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector1024',
            constraint=config.db.constraints.RowLevelSecurity(name='knowledge_chunkvector1024_rls'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector1024',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_chunkvector1024_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector1024',
            constraint=config.db.constraints.SameTenant(field='collection', name='knowledge_chunkvector1024_collection_same', on_delete='CASCADE'),
        ),
        migrations.CreateModel(
            name='ChunkVector1536',
            fields=[
                ('id', models.UUIDField(editable=False, help_text='ID of the chunk.', primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection of the chunk.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
                ('embedding', pgvector.django.halfvec.HalfVectorField(dimensions=1536, help_text='The vector.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
            },
            bases=(config.db.partitions.PartitionedByTenantMixin, models.Model),
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name='chunkvector1536',
            index=models.Index(fields=['tenant', 'collection'], name='knowledge_chunkvector1536_coll'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector1536',
            constraint=config.db.constraints.SameTenant(field='id', name='knowledge_chunkvector1536_chunk', on_delete='CASCADE', target='knowledge.Chunk'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector1536',
            constraint=config.db.constraints.RowLevelSecurity(name='knowledge_chunkvector1536_rls'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector1536',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_chunkvector1536_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector1536',
            constraint=config.db.constraints.SameTenant(field='collection', name='knowledge_chunkvector1536_collection_same', on_delete='CASCADE'),
        ),
        migrations.CreateModel(
            name='ChunkVector384',
            fields=[
                ('id', models.UUIDField(editable=False, help_text='ID of the chunk.', primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection of the chunk.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
                ('embedding', pgvector.django.halfvec.HalfVectorField(dimensions=384, help_text='The vector.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
            },
            bases=(config.db.partitions.PartitionedByTenantMixin, models.Model),
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name='chunkvector384',
            index=models.Index(fields=['tenant', 'collection'], name='knowledge_chunkvector384_coll'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector384',
            constraint=config.db.constraints.SameTenant(field='id', name='knowledge_chunkvector384_chunk', on_delete='CASCADE', target='knowledge.Chunk'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector384',
            constraint=config.db.constraints.RowLevelSecurity(name='knowledge_chunkvector384_rls'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector384',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_chunkvector384_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector384',
            constraint=config.db.constraints.SameTenant(field='collection', name='knowledge_chunkvector384_collection_same', on_delete='CASCADE'),
        ),
        migrations.CreateModel(
            name='ChunkVector768',
            fields=[
                ('id', models.UUIDField(editable=False, help_text='ID of the chunk.', primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection of the chunk.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
                ('embedding', pgvector.django.halfvec.HalfVectorField(dimensions=768, help_text='The vector.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
            },
            bases=(config.db.partitions.PartitionedByTenantMixin, models.Model),
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name='chunkvector768',
            index=models.Index(fields=['tenant', 'collection'], name='knowledge_chunkvector768_coll'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector768',
            constraint=config.db.constraints.SameTenant(field='id', name='knowledge_chunkvector768_chunk', on_delete='CASCADE', target='knowledge.Chunk'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector768',
            constraint=config.db.constraints.RowLevelSecurity(name='knowledge_chunkvector768_rls'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector768',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_chunkvector768_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='chunkvector768',
            constraint=config.db.constraints.SameTenant(field='collection', name='knowledge_chunkvector768_collection_same', on_delete='CASCADE'),
        ),
        migrations.CreateModel(
            name='ChunkVectorDraft',
            fields=[
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('id', models.UUIDField(editable=False, help_text='ID of the chunk.', primary_key=True, serialize=False)),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection of the chunk.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
                ('embedding_model', models.CharField(help_text='Embedding model of the vector.', max_length=100)),
                ('embedding', pgvector.django.halfvec.HalfVectorField(help_text="Vector, as long as the model's dimensions.")),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'collection'], name='knowledge_draft_collection')],
                'constraints': [config.db.constraints.SameTenant(field='id', name='knowledge_draft_chunk', on_delete='CASCADE', target='knowledge.Chunk'), config.db.constraints.RowLevelSecurity(name='knowledge_chunkvectordraft_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_chunkvectordraft_tenant_id'), config.db.constraints.SameTenant(field='collection', name='knowledge_chunkvectordraft_collection_same', on_delete='CASCADE')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name='term',
            name='related_terms',
            field=models.ManyToManyField(help_text='Related terms.', related_name='related_by', through='knowledge.TermRelation', through_fields=('term', 'related'), to='knowledge.term'),
        ),
        migrations.RunSQL(functions.VECTORS, functions.VECTORS_DROP),
        migrations.RunSQL(triggers.COUNTING, triggers.COUNTING_DROP),
    ])
