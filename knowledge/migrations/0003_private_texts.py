"""Texts of tasks and events for those who see the task or event only, and queries for their user only."""

import config.db.constraints
from django.db import migrations, models

from knowledge import functions

from config.db.operations import AlterConstraints


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0002_updated_at'),
        ('tenants', '0005_key_rate_limit'),
        ('workflows', '0004_owners'),
    ]

    operations = [
        # Without its triggers, the update leaves `updated_at` and the audit log as they are.
        AlterConstraints(
            remove=[
                ('embedding', 'knowledge_embedding_rls'),
                ('embedding', 'knowledge_embedding_audit'),
                ('embedding', 'knowledge_embedding_updated_at'),
                ('ragquery', 'knowledge_ragquery_rls'),
            ],
        ),
        migrations.AddField(
            model_name='embedding',
            name='source_id',
            field=models.UUIDField(editable=False, help_text='Task or event that the text comes from, if any.', null=True),
        ),
        migrations.RunSQL(functions.TEXT_SOURCES, functions.TEXT_SOURCES_UNDO),
        AlterConstraints(
            add=[
                ('embedding', config.db.constraints.RowLevelSecurity(name='knowledge_embedding_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (source_id IS NULL OR (SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM workflows_task WHERE id = source_id OFFSET 0) OR EXISTS (SELECT FROM workflows_calendarevent WHERE id = source_id OFFSET 0))')),
                ('embedding', config.db.constraints.AuditTrigger(label='knowledge.embedding', name='knowledge_embedding_audit', omit=('embedding',), redact=('content', 'embedding_model', 'metadata', 'source_id'))),
                ('embedding', config.db.constraints.UpdatedAtTrigger(name='knowledge_embedding_updated_at')),
                ('ragquery', config.db.constraints.RowLevelSecurity(name='knowledge_ragquery_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR user_id IS NULL OR (SELECT conclave_current_user()) IS NULL)', write='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL)')),
            ],
        ),
    ]
