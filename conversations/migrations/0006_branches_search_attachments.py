import config.db.constraints
import django.contrib.postgres.search
import django.db.models.deletion
import pgvector.django.halfvec
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0006_budgets_prices_fallbacks'),
        ('conversations', '0005_pinned_version'),
        ('tenants', '0003_plans_usage_regions_platform'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='attachment',
            name='conversations_attachment_audit',
        ),
        migrations.AddField(
            model_name='attachment',
            name='text',
            field=models.TextField(blank=True, default='', editable=False, help_text='Its text, as agents read it.'),
        ),
        migrations.AddField(
            model_name='conversation',
            name='forked_at_id',
            field=models.UUIDField(blank=True, editable=False, help_text='Last message that it took over from there; empty: none, its first question was edited.', null=True),
        ),
        migrations.AddField(
            model_name='conversation',
            name='forked_from',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='Conversation that it is a branch of.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='branches', to='conversations.conversation'),
        ),
        migrations.AddField(
            model_name='message',
            name='feedback',
            field=models.CharField(blank=True, choices=[('helpful', 'Helpful'), ('unhelpful', 'Unhelpful')], default='', help_text="A person's verdict on it.", max_length=20),
        ),
        migrations.AddField(
            model_name='message',
            name='replaces_id',
            field=models.UUIDField(blank=True, help_text='Message of the branch before that it is said instead of.', null=True),
        ),
        migrations.AddField(
            model_name='messageembedding',
            name='embedding_384',
            field=pgvector.django.halfvec.HalfVectorField(blank=True, dimensions=384, help_text='The vector, when it has 384 numbers.', null=True),
        ),
        migrations.AddField(
            model_name='messageembedding',
            name='words',
            field=django.contrib.postgres.search.SearchVectorField(blank=True, editable=False, help_text='Its words and their places.', null=True),
        ),
        migrations.AddField(
            model_name='sessionsummary',
            name='model',
            field=models.CharField(blank=True, default='', help_text='Model that made it; empty: by its words alone.', max_length=100),
        ),
        migrations.AlterField(
            model_name='attachment',
            name='message',
            field=models.ForeignKey(blank=True, db_constraint=False, help_text='The message it came with; empty: it waits for one.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='attachments', to='conversations.message'),
        ),
        migrations.AlterField(
            model_name='messageembedding',
            name='embedding',
            field=pgvector.django.halfvec.HalfVectorField(blank=True, dimensions=1536, help_text='The vector, when it has 1,536 numbers.', null=True),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(condition=models.Q(('forked_from__isnull', False)), fields=['tenant', 'forked_from'], name='conversations_conv_branches'),
        ),
        migrations.AddConstraint(
            model_name='attachment',
            constraint=config.db.constraints.AuditTrigger(label='conversations.attachment', name='conversations_attachment_audit', omit=('text',), redact=('filename', 'storage_path', 'metadata')),
        ),
        migrations.AddConstraint(
            model_name='conversation',
            constraint=config.db.constraints.SameTenant(field='forked_from', name='conversations_conversation_forked_from_same', on_delete='SET NULL'),
        ),
        migrations.AddConstraint(
            model_name='message',
            constraint=models.CheckConstraint(condition=models.Q(('feedback__in', ['', 'helpful', 'unhelpful'])), name='conversations_message_feedback_known'),
        ),
        migrations.AddConstraint(
            model_name='messageembedding',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('embedding', None), ('embedding_384__isnull', False)), models.Q(('embedding_384', None), ('embedding__isnull', False)), _connector='OR'), name='conversations_vector_one_of', violation_error_message="A message's vector has one length: 384 or 1,536."),
        ),
    ]
