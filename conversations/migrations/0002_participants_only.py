"""Policies that show a conversation to its owner and its participants only."""

import config.db.constraints
from django.conf import settings
from django.db import migrations, models

from conversations import functions


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
        migrations.RemoveConstraint(
            model_name='answerlease',
            name='conversations_answerlease_rls',
        ),
        migrations.RemoveConstraint(
            model_name='attachment',
            name='conversations_attachment_rls',
        ),
        migrations.RemoveConstraint(
            model_name='conversation',
            name='conversations_conversation_rls',
        ),
        migrations.RemoveConstraint(
            model_name='mcptoolexecution',
            name='conversations_mcptoolexecution_rls',
        ),
        migrations.RemoveConstraint(
            model_name='message',
            name='conversations_message_rls',
        ),
        migrations.RemoveConstraint(
            model_name='messageembedding',
            name='conversations_messageembedding_rls',
        ),
        migrations.RemoveConstraint(
            model_name='participant',
            name='conversations_participant_rls',
        ),
        migrations.RemoveConstraint(
            model_name='sessionstate',
            name='conversations_sessionstate_rls',
        ),
        migrations.RemoveConstraint(
            model_name='sessionsummary',
            name='conversations_sessionsummary_rls',
        ),
        migrations.RemoveConstraint(
            model_name='streamevent',
            name='conversations_streamevent_rls',
        ),
        migrations.RemoveConstraint(
            model_name='toolexecution',
            name='conversations_toolexecution_rls',
        ),
        migrations.RemoveConstraint(
            model_name='turnstep',
            name='conversations_turnstep_rls',
        ),
        migrations.AddIndex(
            model_name='participant',
            index=models.Index(condition=models.Q(('role', 'owner'), _negated=True), fields=['tenant', 'user'], name='conversations_joined'),
        ),
        migrations.AddConstraint(
            model_name='answerlease',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_answerlease_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))'),
        ),
        migrations.AddConstraint(
            model_name='attachment',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_attachment_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))'),
        ),
        migrations.AddConstraint(
            model_name='conversation',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_conversation_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL OR id = ANY ((SELECT conclave_joined_conversations())::uuid[]))'),
        ),
        migrations.AddConstraint(
            model_name='mcptoolexecution',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_mcptoolexecution_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))'),
        ),
        migrations.AddConstraint(
            model_name='message',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_message_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))'),
        ),
        migrations.AddConstraint(
            model_name='messageembedding',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_messageembedding_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))'),
        ),
        migrations.AddConstraint(
            model_name='participant',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_participant_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))', write='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))'),
        ),
        migrations.AddConstraint(
            model_name='sessionstate',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_sessionstate_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))'),
        ),
        migrations.AddConstraint(
            model_name='sessionsummary',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_sessionsummary_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))'),
        ),
        migrations.AddConstraint(
            model_name='streamevent',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_streamevent_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))', verbs='SELECT, INSERT'),
        ),
        migrations.AddConstraint(
            model_name='toolexecution',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_toolexecution_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))'),
        ),
        migrations.AddConstraint(
            model_name='turnstep',
            constraint=config.db.constraints.RowLevelSecurity(name='conversations_turnstep_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0))', verbs='SELECT, INSERT'),
        ),
    ]
