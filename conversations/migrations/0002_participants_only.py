"""Policies that show a conversation to its owner and its participants only."""

import config.db.constraints
from django.conf import settings
from django.db import migrations, models

from conversations import functions

from config.db.operations import AlterConstraints


class Migration(migrations.Migration):

    dependencies = [
        ('config', '0003_scope_proofs'),
        ('agents', '0001_initial'),
        ('conversations', '0001_initial'),
        ('tenants', '0002_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(functions.OWNERS, migrations.RunSQL.noop),
        migrations.RunSQL(functions.JOINED, functions.JOINED_DROP),
        AlterConstraints(
            remove=[
                ('answerlease', 'conversations_answerlease_rls'),
                ('attachment', 'conversations_attachment_rls'),
                ('conversation', 'conversations_conversation_rls'),
                ('mcptoolexecution', 'conversations_mcptoolexecution_rls'),
                ('message', 'conversations_message_rls'),
                ('messageembedding', 'conversations_messageembedding_rls'),
                ('participant', 'conversations_participant_rls'),
                ('sessionstate', 'conversations_sessionstate_rls'),
                ('sessionsummary', 'conversations_sessionsummary_rls'),
                ('streamevent', 'conversations_streamevent_rls'),
                ('toolexecution', 'conversations_toolexecution_rls'),
                ('turnstep', 'conversations_turnstep_rls'),
            ],
        ),
        migrations.AddIndex(
            model_name='participant',
            index=models.Index(condition=models.Q(('role', 'owner'), _negated=True), fields=['tenant', 'user'], name='conversations_joined'),
        ),
        AlterConstraints(
            add=[
                ('answerlease', config.db.constraints.RowLevelSecurity(name='conversations_answerlease_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))')),
                ('attachment', config.db.constraints.RowLevelSecurity(name='conversations_attachment_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))')),
                ('conversation', config.db.constraints.RowLevelSecurity(name='conversations_conversation_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL OR id = ANY ((SELECT conclave_joined_conversations())::uuid[]))')),
                ('mcptoolexecution', config.db.constraints.RowLevelSecurity(name='conversations_mcptoolexecution_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))')),
                ('message', config.db.constraints.RowLevelSecurity(name='conversations_message_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))')),
                ('messageembedding', config.db.constraints.RowLevelSecurity(name='conversations_messageembedding_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))')),
                ('participant', config.db.constraints.RowLevelSecurity(name='conversations_participant_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))', write='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))')),
                ('sessionstate', config.db.constraints.RowLevelSecurity(name='conversations_sessionstate_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))')),
                ('sessionsummary', config.db.constraints.RowLevelSecurity(name='conversations_sessionsummary_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))')),
                ('streamevent', config.db.constraints.RowLevelSecurity(name='conversations_streamevent_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))', verbs='SELECT, INSERT')),
                ('toolexecution', config.db.constraints.RowLevelSecurity(name='conversations_toolexecution_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))')),
                ('turnstep', config.db.constraints.RowLevelSecurity(name='conversations_turnstep_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))', verbs='SELECT, INSERT')),
            ],
        ),
    ]
