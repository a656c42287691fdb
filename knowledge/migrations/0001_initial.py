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

from knowledge import functions, triggers


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('audit', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Collection',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='When the row last changed.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('name', models.CharField(help_text='Name of the collection.', max_length=255)),
                ('slug', models.SlugField(help_text='Name in the API and on the command line.', max_length=100)),
                ('description', models.TextField(blank=True, default='', help_text='What it holds.')),
                ('embedding_model', models.CharField(default='lexical-hash-384', help_text='Embedder of all its chunks.', max_length=100)),
                ('next_embedding_model', models.CharField(blank=True, default='', editable=False, help_text='Embedder that its chunks are being embedded with anew; the other one serves until all are.', max_length=100)),
                ('dimensions', models.PositiveIntegerField(default=384, editable=False, help_text='Length of its vectors.')),
                ('chunk_size', models.PositiveIntegerField(default=256, help_text='Tokens in a chunk, at most.')),
                ('chunk_overlap', models.PositiveIntegerField(default=32, help_text='Tokens shared by neighbouring chunks.')),
                ('document_count', models.PositiveIntegerField(default=0, editable=False, help_text='Documents with chunks.')),
                ('chunk_count', models.PositiveIntegerField(default=0, editable=False, help_text='Chunks of them.')),
                ('status', models.CharField(choices=[('active', 'Active'), ('indexing', 'Indexing'), ('archived', 'Archived')], default='active', help_text='Whether it is in use.', max_length=50)),
                ('settings', models.JSONField(blank=True, default=dict, help_text='Search settings, such as `recall`.')),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Free data.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'status'], name='knowledge_collection_status'), django.contrib.postgres.indexes.GinIndex(fields=['metadata'], name='knowledge_collection_metadata')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'slug'), name='knowledge_collection_slug', violation_error_message='A collection with this slug exists already.'), models.CheckConstraint(condition=models.Q(('chunk_size__gt', 0)), name='knowledge_collection_chunk_size'), models.CheckConstraint(condition=models.Q(('chunk_overlap__lt', models.F('chunk_size'))), name='knowledge_collection_overlap_below_size', violation_error_message='The overlap must be smaller than the chunk.'), models.CheckConstraint(condition=models.Q(('status__in', ['active', 'indexing', 'archived'])), name='knowledge_collection_status_known'), config.db.constraints.RowLevelSecurity(name='knowledge_collection_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_collection_tenant_id'), config.db.constraints.AuditTrigger(label='knowledge.collection', name='knowledge_collection_audit', omit=('document_count', 'chunk_count'))],
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
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='When the row last changed.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('content', models.TextField(help_text='The text.')),
                ('embedding', pgvector.django.halfvec.HalfVectorField(dimensions=384, editable=False, help_text='The vector.')),
                ('embedding_model', models.CharField(default='lexical-hash-384', help_text='Embedder that made it.', max_length=100)),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Free data, such as where it is from.')),
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
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='When the row last changed.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Person the row belongs to.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('pattern_type', models.CharField(choices=[('terminology_usage', 'Terminology Usage'), ('ai_preference', 'Ai Preference'), ('workflow_pattern', 'Workflow Pattern'), ('communication_style', 'Communication Style'), ('tool_usage', 'Tool Usage'), ('other', 'Other')], help_text='Kind of pattern.', max_length=100)),
                ('data', models.JSONField(default=dict, help_text='The pattern itself, as its kind has it.')),
                ('confidence', models.DecimalField(decimal_places=4, default=0, help_text='How sure it is, from 0 to 1.', max_digits=5, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)])),
                ('occurrences', models.PositiveIntegerField(default=1, help_text='Times seen.')),
                ('success_rate', models.DecimalField(blank=True, decimal_places=4, help_text='Share of the times it helped, from 0 to 1; empty: not known yet.', max_digits=5, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)])),
                ('embedding', pgvector.django.halfvec.HalfVectorField(blank=True, dimensions=1536, editable=False, help_text='Its vector; empty: not made yet.', null=True)),
                ('embedding_model', models.CharField(blank=True, default='', editable=False, help_text='Embedder that made it; vectors of two are not compared.', max_length=100)),
                ('last_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Latest time.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'user', '-last_seen_at'], name='knowledge_pattern_user'), models.Index(fields=['tenant', 'pattern_type'], name='knowledge_pattern_type'), models.Index(fields=['tenant', '-confidence'], name='knowledge_pattern_confidence'), django.contrib.postgres.indexes.GinIndex(fields=['data'], name='knowledge_pattern_data'), pgvector.django.indexes.HnswIndex(fields=['embedding'], name='knowledge_pattern_cosine', opclasses=['halfvec_cosine_ops'])],
                'constraints': [models.CheckConstraint(condition=models.Q(('pattern_type__in', ['terminology_usage', 'ai_preference', 'workflow_pattern', 'communication_style', 'tool_usage', 'other'])), name='knowledge_pattern_type_known'), models.CheckConstraint(condition=models.Q(('confidence__range', (0, 1))), name='knowledge_pattern_confidence_range', violation_error_message='confidence: from 0 to 1.'), models.CheckConstraint(condition=models.Q(('success_rate', None), ('success_rate__range', (0, 1)), _connector='OR'), name='knowledge_pattern_success_range', violation_error_message='success_rate: from 0 to 1.'), config.db.constraints.RowLevelSecurity(name='knowledge_learningpattern_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_learningpattern_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='knowledge_learningpattern_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='knowledge.learningpattern', name='knowledge_learningpattern_audit', omit=('embedding', 'occurrences', 'last_seen_at'), redact=('pattern_type', 'data', 'confidence', 'success_rate', 'embedding_model'))],
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
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='When the row last changed.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Person the row belongs to.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('term', models.CharField(help_text='The word or words.', max_length=500)),
                ('definition', models.TextField(help_text='What they mean.')),
                ('context', models.CharField(blank=True, choices=[('technical', 'Technical'), ('business', 'Business'), ('personal', 'Personal'), ('casual', 'Casual')], default='', help_text='Where they are used.', max_length=100)),
                ('usage_examples', models.JSONField(blank=True, default=list, help_text='Sentences that use them.')),
                ('frequency', models.PositiveIntegerField(default=1, help_text='Times used.', validators=[django.core.validators.MinValueValidator(0)])),
                ('last_used_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Latest use.')),
                ('tags', models.JSONField(blank=True, default=list, help_text='Labels to find it by.')),
                ('is_public', models.BooleanField(default=False, help_text='Whether colleagues read it.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'user', '-id'], name='knowledge_term_user'), models.Index(fields=['tenant', 'term'], name='knowledge_term_term'), models.Index(fields=['tenant', 'context'], name='knowledge_term_context'), models.Index(fields=['tenant', '-frequency'], name='knowledge_term_frequency'), models.Index(condition=models.Q(('is_public', True)), fields=['tenant'], name='knowledge_term_public'), django.contrib.postgres.indexes.GinIndex(fields=['tags'], name='knowledge_term_tags')],
                'constraints': [models.CheckConstraint(condition=models.Q(('context__in', ['technical', 'business', 'personal', 'casual', ''])), name='knowledge_term_context_known'), models.CheckConstraint(condition=models.Q(('term', ''), _negated=True), name='knowledge_term_named', violation_error_message='A term is not empty.'), config.db.constraints.RowLevelSecurity(name='knowledge_term_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR is_public)', write='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_term_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='knowledge_term_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='knowledge.term', name='knowledge_term_audit', omit=('frequency', 'last_used_at'), redact=('term', 'definition', 'context', 'usage_examples', 'tags'))],
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
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='When the row last changed.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Where it belongs.', on_delete=django.db.models.deletion.CASCADE, related_name='documents', to='knowledge.collection')),
                ('title', models.CharField(blank=True, default='', help_text='Its title, read or given.', max_length=500)),
                ('filename', models.CharField(help_text='Name of the file.', max_length=500)),
                ('source', models.CharField(help_text='Path inside the folder it was read from, name or URL; its identity.', max_length=1024)),
                ('origin', models.CharField(choices=[('upload', 'Upload'), ('folder', 'Folder'), ('url', 'URL'), ('import', 'Import')], default='folder', editable=False, help_text='How it came in.', max_length=50)),
                ('file_type', models.CharField(blank=True, default='', help_text='Media type.', max_length=100)),
                ('file_size', models.PositiveBigIntegerField(default=0, help_text='Bytes.')),
                ('checksum', models.CharField(blank=True, default='', help_text='SHA-256 of the file that was brought last.', max_length=64)),
                ('indexed_checksum', models.CharField(blank=True, default='', editable=False, help_text='SHA-256 of the file that its chunks were cut from; empty: it has none.', max_length=64)),
                ('storage_path', models.CharField(blank=True, default='', help_text='Where the file is kept; empty: not kept.', max_length=1024)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('processing', 'Processing'), ('indexed', 'Indexed'), ('failed', 'Failed')], default='pending', help_text='How far it is.', max_length=50)),
                ('progress', models.PositiveSmallIntegerField(default=0, editable=False, help_text='Percent of the work that is done.')),
                ('chunk_count', models.PositiveIntegerField(default=0, editable=False, help_text='Chunks made of it.')),
                ('error_message', models.TextField(blank=True, default='', help_text='Why it could not be read.')),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Author, language and the like.')),
                ('uploaded_by', models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='Who brought it.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('uploaded_at', models.DateTimeField(blank=True, editable=False, help_text='When it was brought.', null=True)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'status'], name='knowledge_document_status'), django.contrib.postgres.indexes.GinIndex(fields=['metadata'], name='knowledge_document_metadata')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'collection', 'source'), name='knowledge_document_source', violation_error_message='The collection has a document of this source already.'), models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'processing', 'indexed', 'failed'])), name='knowledge_document_status_known'), models.CheckConstraint(condition=models.Q(('origin__in', ['upload', 'folder', 'url', 'import'])), name='knowledge_document_origin_known'), models.CheckConstraint(condition=models.Q(('progress__lte', 100)), name='knowledge_document_progress_percent'), config.db.constraints.RowLevelSecurity(name='knowledge_document_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_document_tenant_id'), config.db.constraints.SameTenant(field='collection', name='knowledge_document_collection_same', on_delete='CASCADE'), config.db.constraints.SameTenant(column='user_id', field='uploaded_by', name='knowledge_document_uploaded_by_same', on_delete='SET NULL', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='knowledge.document', name='knowledge_document_audit', omit=('chunk_count', 'progress'))],
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
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='When the row last changed.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('name', models.CharField(help_text='What is measured.', max_length=255)),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection that is searched.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='knowledge.collection')),
                ('judgements', models.JSONField(help_text='For each question the grade of each document that answers it, by its source.')),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('completed', 'Completed'), ('failed', 'Failed')], default='pending', editable=False, help_text='Whether it was measured.', max_length=20)),
                ('results', models.JSONField(default=list, editable=False, help_text='nDCG@10, recall@10 and MRR of each strategy.')),
                ('error_message', models.TextField(blank=True, default='', editable=False, help_text='Why it failed.')),
                ('completed_at', models.DateTimeField(blank=True, editable=False, help_text='When it was measured.', null=True)),
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
                ('created_at', models.GeneratedField(db_persist=True, expression=models.Func(models.F('id'), function='conclave_uuid_time'), help_text='When the row was made, to the millisecond; part of its id.', output_field=models.DateTimeField())),
                ('collection', models.ForeignKey(blank=True, db_constraint=False, help_text='Collection searched; empty: several.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
                ('agent_id', models.UUIDField(blank=True, help_text='Agent that searched.', null=True)),
                ('conversation_id', models.UUIDField(blank=True, help_text='Conversation it was for.', null=True)),
                ('user_id', models.UUIDField(blank=True, help_text='Person it was for.', null=True)),
                ('query_text', models.TextField(help_text='What was searched for.')),
                ('results', models.JSONField(default=list, help_text='Chunk ids and scores, best first.')),
                ('top_score', models.FloatField(help_text='Score of the best, from 0 to 1.', null=True)),
                ('retrieval_strategy', models.CharField(choices=[('hybrid', 'Hybrid'), ('semantic', 'Semantic'), ('keyword', 'Keyword')], default='hybrid', help_text='Way of searching.', max_length=50)),
                ('filters', models.JSONField(default=dict, help_text='Filters that applied.')),
                ('response_time_ms', models.PositiveIntegerField(default=0, help_text='Milliseconds taken.')),
                ('user_feedback', models.CharField(blank=True, choices=[('helpful', 'Helpful'), ('unhelpful', 'Unhelpful')], default='', help_text="The asker's verdict.", max_length=20)),
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
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='When the row last changed.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('term', models.ForeignKey(db_constraint=False, help_text='The term.', on_delete=django.db.models.deletion.CASCADE, related_name='embeddings', to='knowledge.term')),
                ('embedding', pgvector.django.halfvec.HalfVectorField(dimensions=1536, editable=False, help_text='The vector.')),
                ('embedding_model', models.CharField(default='text-embedding-3-small', help_text='Embedder that made it.', max_length=100)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [pgvector.django.indexes.HnswIndex(fields=['embedding'], name='knowledge_termembedding_cosine', opclasses=['halfvec_cosine_ops'])],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'term', 'embedding_model'), name='knowledge_termembedding_once', violation_error_message='The term has a vector of this model already.'), config.db.constraints.RowLevelSecurity(name='knowledge_termembedding_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND term_id IN (SELECT id FROM knowledge_term)', write='tenant_id = (SELECT conclave_current_tenant()) AND term_id IN (SELECT id FROM knowledge_term WHERE user_id = (SELECT conclave_current_user()))'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_termembedding_tenant_id'), config.db.constraints.SameTenant(field='term', name='knowledge_termembedding_term_same', on_delete='CASCADE')],
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
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('term', models.ForeignKey(db_constraint=False, help_text='The term.', on_delete=django.db.models.deletion.CASCADE, related_name='relations', to='knowledge.term')),
                ('related', models.ForeignKey(db_constraint=False, help_text='The one it belongs with.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='knowledge.term')),
                ('kind', models.CharField(choices=[('related', 'Related'), ('synonym', 'Synonym')], default='related', help_text='Whether both mean the same, or belong together.', max_length=50)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'related'], name='knowledge_termrelation_related')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'term', 'related'), name='knowledge_termrelation_once', violation_error_message='These terms are related already.'), models.CheckConstraint(condition=models.Q(('term', models.F('related')), _negated=True), name='knowledge_termrelation_other', violation_error_message='A term is not related to itself.'), models.CheckConstraint(condition=models.Q(('kind__in', ['related', 'synonym'])), name='knowledge_termrelation_kind_known'), config.db.constraints.RowLevelSecurity(name='knowledge_termrelation_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND term_id IN (SELECT id FROM knowledge_term) AND related_id IN (SELECT id FROM knowledge_term)', write='tenant_id = (SELECT conclave_current_tenant()) AND term_id IN (SELECT id FROM knowledge_term WHERE user_id = (SELECT conclave_current_user())) AND related_id IN (SELECT id FROM knowledge_term)'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_termrelation_tenant_id'), config.db.constraints.SameTenant(field='term', name='knowledge_termrelation_term_same', on_delete='CASCADE'), config.db.constraints.SameTenant(field='related', name='knowledge_termrelation_related_same', on_delete='CASCADE'), config.db.constraints.AuditTrigger(label='knowledge.termrelation', name='knowledge_termrelation_audit', redact=('kind',))],
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
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Where it belongs.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='chunks', to='knowledge.collection')),
                ('document', models.ForeignKey(db_constraint=False, help_text='What it was cut from.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='chunks', to='knowledge.document')),
                ('chunk_index', models.PositiveIntegerField(help_text='Place in the document, from 0.')),
                ('content', models.TextField(help_text='The text.')),
                ('context', models.CharField(blank=True, default='', help_text='Headings above it.', max_length=500)),
                ('page', models.PositiveIntegerField(blank=True, help_text='Page it begins on.', null=True)),
                ('start', models.PositiveIntegerField(default=0, help_text="First character in the document's text.")),
                ('end', models.PositiveIntegerField(default=0, help_text='Character after its last.')),
                ('token_count', models.PositiveIntegerField(default=0, help_text='Estimated tokens.')),
                ('embedding_model', models.CharField(blank=True, default='', help_text='Embedder used.', max_length=100)),
                ('semantic_keywords', models.JSONField(blank=True, help_text='Keywords found.', null=True)),
                ('semantic_category', models.CharField(blank=True, default='', help_text='Category found.', max_length=255)),
                ('semantic_summary', models.TextField(blank=True, default='', help_text='Summary.')),
                ('extracted_entities', models.JSONField(blank=True, help_text='Named entities found.', null=True)),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Free data.')),
                ('search', models.GeneratedField(db_persist=True, expression=django.contrib.postgres.search.CombinedSearchVector(django.contrib.postgres.search.SearchVector('context', config='english', weight='A'), '||', django.contrib.postgres.search.SearchVector('content', config='english', weight='B'), django.contrib.postgres.search.SearchConfig('english')), help_text='What full-text search reads.', output_field=django.contrib.postgres.search.SearchVectorField())),
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
                ('id', models.UUIDField(editable=False, help_text="The chunk's id.", primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text="The chunk's collection.", on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
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
            constraint=config.db.constraints.SameTenant(column='id', field='id', name='knowledge_chunkvector1024_chunk', on_delete='CASCADE', target='knowledge.Chunk'),
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
                ('id', models.UUIDField(editable=False, help_text="The chunk's id.", primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text="The chunk's collection.", on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
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
            constraint=config.db.constraints.SameTenant(column='id', field='id', name='knowledge_chunkvector1536_chunk', on_delete='CASCADE', target='knowledge.Chunk'),
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
                ('id', models.UUIDField(editable=False, help_text="The chunk's id.", primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text="The chunk's collection.", on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
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
            constraint=config.db.constraints.SameTenant(column='id', field='id', name='knowledge_chunkvector384_chunk', on_delete='CASCADE', target='knowledge.Chunk'),
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
                ('id', models.UUIDField(editable=False, help_text="The chunk's id.", primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
                ('collection', models.ForeignKey(db_constraint=False, help_text="The chunk's collection.", on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
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
            constraint=config.db.constraints.SameTenant(column='id', field='id', name='knowledge_chunkvector768_chunk', on_delete='CASCADE', target='knowledge.Chunk'),
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
                ('id', models.UUIDField(editable=False, help_text="The chunk's id.", primary_key=True, serialize=False)),
                ('collection', models.ForeignKey(db_constraint=False, help_text="The chunk's collection.", on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.collection')),
                ('embedding_model', models.CharField(help_text='Embedder that made it.', max_length=100)),
                ('embedding', pgvector.django.halfvec.HalfVectorField(help_text="The vector, of that model's length.")),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'collection'], name='knowledge_draft_collection')],
                'constraints': [config.db.constraints.SameTenant(column='id', field='id', name='knowledge_draft_chunk', on_delete='CASCADE', target='knowledge.Chunk'), config.db.constraints.RowLevelSecurity(name='knowledge_chunkvectordraft_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_chunkvectordraft_tenant_id'), config.db.constraints.SameTenant(field='collection', name='knowledge_chunkvectordraft_collection_same', on_delete='CASCADE')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name='term',
            name='related_terms',
            field=models.ManyToManyField(help_text='Terms that belong with it.', related_name='related_by', through='knowledge.TermRelation', through_fields=('term', 'related'), to='knowledge.term'),
        ),
        migrations.RunSQL(functions.VECTORS, functions.VECTORS_DROP),
        migrations.RunSQL(triggers.COUNTING, triggers.COUNTING_DROP),
    ]
