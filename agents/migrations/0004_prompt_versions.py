"""Versions of prompts."""

import config.db.constraints
import config.db.ids
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models

from agents import triggers
from config.db.operations import AlterConstraints


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0003_runs'),
        ('tenants', '0005_key_rate_limit'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PromptVersion',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('version', models.PositiveIntegerField(help_text='Version number, starting at 1.')),
                ('prompt_text', models.TextField(help_text='Text of the prompt.')),
                ('note', models.CharField(blank=True, default='', help_text='Description of the change.', max_length=500)),
                ('created_by_id', models.UUIDField(blank=True, help_text='User who changed the text.', null=True)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name='systemprompt',
            name='change_note',
            field=models.CharField(blank=True, default='', help_text='Description of the latest change of the text.', max_length=500),
        ),
        migrations.AddField(
            model_name='promptversion',
            name='prompt',
            field=models.ForeignKey(db_constraint=False, help_text='The prompt.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='versions', to='agents.systemprompt'),
        ),
        migrations.AddField(
            model_name='promptversion',
            name='tenant',
            field=models.ForeignKey(blank=True, db_index=False, editable=False, help_text='Organisation that owns the prompt. Empty: a factory prompt.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='promptversion',
            name='user',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='User who owns the prompt. Empty: the organisation\'s or a factory prompt.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        AlterConstraints(
            remove=[('systemprompt', 'agents_systemprompt_audit')],
            add=[
                ('systemprompt', config.db.constraints.AuditTrigger(label='agents.systemprompt', name='agents_systemprompt_audit', omit=('usage_count', 'last_used_at', 'average_satisfaction', 'success_rate', 'verdict_count'), redact=('prompt_key', 'prompt_category', 'prompt_name', 'description', 'prompt_text', 'variables', 'version', 'change_note'))),
                ('promptversion', models.UniqueConstraint(fields=('tenant', 'prompt', 'version'), name='agents_promptversion_once', violation_error_message='This version already exists.')),
                ('promptversion', config.db.constraints.RowLevelSecurity(name='agents_promptversion_rls', read='(tenant_id IS NULL OR (tenant_id = (SELECT conclave_current_tenant()) AND (user_id IS NULL OR user_id = (SELECT conclave_current_user()))))', verbs='SELECT, INSERT', write='(tenant_id = (SELECT conclave_current_tenant()) AND (user_id IS NULL OR user_id = (SELECT conclave_current_user())))')),
                ('promptversion', models.UniqueConstraint(fields=('tenant', 'id'), name='agents_promptversion_tenant_id')),
                ('promptversion', config.db.constraints.SameTenant(column='user_id', field='user', name='agents_promptversion_user_same', on_delete='CASCADE', target='accounts.Membership')),
                ('promptversion', config.db.constraints.SameTenant(field='prompt', name='agents_promptversion_prompt_same', on_delete='CASCADE')),
            ],
        ),
        migrations.RunSQL(triggers.PROMPT_VERSIONS, migrations.RunSQL.noop),
        migrations.RunSQL(triggers.PROMPTS, triggers.PROMPTS_DROP),
    ]
