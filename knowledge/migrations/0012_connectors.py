"""Connectors, and the connector and version of each document. Checks `origin` of all documents again."""

import config.db.constraints
import config.db.ids
import config.encryption.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('config', '0003_scope_proofs'),
        ('knowledge', '0011_languages'),
    ]

    operations = [
        migrations.CreateModel(
            name='Connector',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('name', models.CharField(help_text='Name, unique within the collection.', max_length=255)),
                ('kind', models.CharField(choices=[('website', 'Website'), ('git', 'Git repository'), ('folder', 'Server folder'), ('s3', 'S3 bucket'), ('imap', 'IMAP mailbox'), ('rss', 'RSS or Atom feed')], help_text='Kind of source.', max_length=20)),
                ('config', models.JSONField(blank=True, default=dict, help_text='Settings of the source, such as {"url": "https://example.org/"} for a website.')),
                ('credentials', config.encryption.fields.EncryptedJSONField(blank=True, help_text='Secrets of the source, encrypted. Git: token. S3: access_key, secret_key. IMAP: username, password. Enter them again to change the address of the source.', null=True)),
                ('interval_minutes', models.PositiveIntegerField(default=60, help_text='Minutes between the starts of two syncs. 0: only on request.', validators=[django.core.validators.MaxValueValidator(44640)])),
                ('max_deletion_percent', models.PositiveSmallIntegerField(default=50, help_text='Share of the documents that a sync may delete without confirmation.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(100)])),
                ('is_active', models.BooleanField(default=True, help_text='Whether syncs start at the interval.')),
                ('status', models.CharField(choices=[('idle', 'Idle'), ('queued', 'Queued'), ('running', 'Running'), ('completed', 'Completed'), ('partial', 'Partial'), ('failed', 'Failed')], default='idle', editable=False, help_text='Status of the latest sync.', max_length=20)),
                ('started_at', models.DateTimeField(blank=True, editable=False, help_text='Start of the latest sync.', null=True)),
                ('finished_at', models.DateTimeField(blank=True, editable=False, help_text='End of the latest sync.', null=True)),
                ('added_count', models.PositiveIntegerField(default=0, editable=False, help_text='Number of new items.')),
                ('changed_count', models.PositiveIntegerField(default=0, editable=False, help_text='Number of changed items.')),
                ('deleted_count', models.PositiveIntegerField(default=0, editable=False, help_text='Number of deleted documents.')),
                ('unchanged_count', models.PositiveIntegerField(default=0, editable=False, help_text='Number of unchanged items.')),
                ('failed_count', models.PositiveIntegerField(default=0, editable=False, help_text='Number of items that could not be read.')),
                ('item_errors', models.JSONField(blank=True, default=list, editable=False, help_text='First errors of items: `source` and `error`.')),
                ('error_message', models.TextField(blank=True, default='', editable=False, help_text='Error, or why no documents were deleted.')),
                ('state', models.JSONField(blank=True, default=dict, editable=False, help_text='Validators of the latest listing.')),
                ('collection', models.ForeignKey(db_constraint=False, help_text='Collection that receives the documents.', on_delete=django.db.models.deletion.CASCADE, related_name='connectors', to='knowledge.collection')),
                ('created_by', models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='User who added the connector.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='accounts.user')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'status'], name='knowledge_connector_status')],
                'constraints': [
                    models.UniqueConstraint(fields=('tenant', 'collection', 'name'), name='knowledge_connector_name', violation_error_message='The collection already has a connector with this name.'),
                    models.CheckConstraint(condition=models.Q(('kind__in', ['website', 'git', 'folder', 's3', 'imap', 'rss'])), name='knowledge_connector_kind_known'),
                    models.CheckConstraint(condition=models.Q(('status__in', ['idle', 'queued', 'running', 'completed', 'partial', 'failed'])), name='knowledge_connector_status_known'),
                    models.CheckConstraint(condition=models.Q(('max_deletion_percent__lte', 100)), name='knowledge_connector_percent'),
                    config.db.constraints.RowLevelSecurity(hidden=('credentials',), name='knowledge_connector_rls'),
                    models.UniqueConstraint(fields=('tenant', 'id'), name='knowledge_connector_tenant_id'),
                    config.db.constraints.SameTenant(field='collection', name='knowledge_connector_collection_same', on_delete='CASCADE'),
                    config.db.constraints.SameTenant(column='user_id', field='created_by', name='knowledge_connector_created_by_same', on_delete='SET NULL', target='accounts.Membership'),
                    config.db.constraints.UpdatedAtTrigger(name='knowledge_connector_updated_at'),
                    config.db.constraints.AuditTrigger(label='knowledge.connector', name='knowledge_connector_audit', omit=(
                        'status', 'started_at', 'finished_at', 'added_count', 'changed_count', 'deleted_count',
                        'unchanged_count', 'failed_count', 'item_errors', 'error_message', 'state',
                    ), redact=('credentials',)),
                ],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='document',
            name='knowledge_document_origin_known',
        ),
        migrations.RemoveConstraint(
            model_name='document',
            name='knowledge_document_audit',
        ),
        migrations.AddField(
            model_name='document',
            name='source_version',
            field=models.CharField(blank=True, default='', editable=False, help_text="Version at the connector's source, such as an entity tag or a Git blob hash.", max_length=1000),
        ),
        migrations.AlterField(
            model_name='document',
            name='origin',
            field=models.CharField(choices=[('upload', 'Upload'), ('folder', 'Folder'), ('url', 'URL'), ('import', 'Import'), ('connector', 'Connector')], default='folder', editable=False, help_text='How the document was added.', max_length=50),
        ),
        migrations.AddField(
            model_name='document',
            name='connector',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='Connector that keeps the document up to date, if any.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='documents', to='knowledge.connector'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(('origin__in', ['upload', 'folder', 'url', 'import', 'connector'])), name='knowledge_document_origin_known'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=config.db.constraints.SameTenant(field='connector', name='knowledge_document_connector_same', on_delete='SET NULL'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=config.db.constraints.AuditTrigger(label='knowledge.document', name='knowledge_document_audit', omit=('chunk_count', 'progress', 'source_version')),
        ),
    ]
