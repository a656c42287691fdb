"""Members of projects and calendars, and policies that show rows to owners and members only."""

import config.db.constraints
import config.db.ids
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models

from workflows import functions

from config.db.operations import AlterConstraints, group_operations


class Migration(migrations.Migration):

    dependencies = [
        ('config', '0003_scope_proofs'),
        ('knowledge', '0001_initial'),
        ('tenants', '0002_initial'),
        ('workflows', '0002_updated_at'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = group_operations([
        migrations.RunSQL(functions.PROJECTS + functions.CALENDARS, functions.SHARED_DROP),
        migrations.CreateModel(
            name='CalendarMember',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('access', models.CharField(choices=[('read', 'Read'), ('write', 'Write')], default='read', help_text='Read, or read and write.', max_length=10)),
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
        migrations.CreateModel(
            name='ProjectMember',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('access', models.CharField(choices=[('read', 'Read'), ('write', 'Write')], default='read', help_text='Read, or read and write.', max_length=10)),
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
        AlterConstraints(
            remove=[
                ('calendar', 'workflows_calendar_rls'),
                ('calendar', 'workflows_calendar_audit'),
                ('calendarevent', 'workflows_calendarevent_rls'),
                ('calendarevent', 'workflows_calendarevent_audit'),
                ('project', 'workflows_project_rls'),
                ('project', 'workflows_project_audit'),
                ('task', 'workflows_task_rls'),
                ('task', 'workflows_task_audit'),
            ],
            add=[
                ('calendar', config.db.constraints.RowLevelSecurity(deletable='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL)', name='workflows_calendar_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL OR id IN (SELECT conclave_calendars(false)))', write='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL OR id IN (SELECT conclave_calendars(true)))')),
                ('calendar', config.db.constraints.AuditTrigger(label='workflows.calendar', name='workflows_calendar_audit', redact=('name', 'description'))),
                ('calendarevent', config.db.constraints.RowLevelSecurity(name='workflows_calendarevent_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR false OR calendar_id IN (SELECT conclave_calendars(false)))', write='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR false OR calendar_id IN (SELECT conclave_calendars(true)))')),
                ('calendarevent', config.db.constraints.AuditTrigger(label='workflows.calendarevent', name='workflows_calendarevent_audit', redact=('semantic_keywords', 'semantic_category', 'semantic_tags', 'google_event_id', 'summary', 'description', 'category', 'movability_score', 'event_type', 'attendees', 'location', 'recurrence_rule', 'reminder_minutes', 'importance_weight'))),
                ('project', config.db.constraints.RowLevelSecurity(deletable='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL)', name='workflows_project_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL OR id IN (SELECT conclave_projects(false)))', write='tenant_id = (SELECT conclave_current_tenant()) AND (user_id = (SELECT conclave_current_user()) OR (SELECT conclave_current_user()) IS NULL OR id IN (SELECT conclave_projects(true)))')),
                ('project', config.db.constraints.AuditTrigger(label='workflows.project', name='workflows_project_audit', redact=('name', 'description', 'project_type', 'programming_language', 'framework', 'repository_url', 'local_path', 'status', 'metadata'))),
                ('task', config.db.constraints.RowLevelSecurity(name='workflows_task_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR (project_id IS NULL AND user_id = (SELECT conclave_current_user())) OR project_id IN (SELECT conclave_projects(false)))', write='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR (project_id IS NULL AND user_id = (SELECT conclave_current_user())) OR project_id IN (SELECT conclave_projects(true)))')),
                ('task', config.db.constraints.AuditTrigger(label='workflows.task', name='workflows_task_audit', redact=('semantic_keywords', 'semantic_category', 'semantic_tags', 'title', 'description', 'status', 'priority', 'category', 'estimated_hours', 'actual_hours', 'completion_percentage', 'semantic_summary', 'importance_weight', 'urgency_weight', 'complexity_weight', 'user_priority_weight', 'calculated_score', 'task_type', 'programming_language', 'difficulty_level', 'code_context', 'repository_branch'))),
            ],
        ),
        migrations.AddField(
            model_name='calendarmember',
            name='calendar',
            field=models.ForeignKey(db_constraint=False, help_text='Calendar that is shared.', on_delete=django.db.models.deletion.CASCADE, related_name='members', to='workflows.calendar'),
        ),
        migrations.AddField(
            model_name='calendarmember',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='calendarmember',
            name='user',
            field=models.ForeignKey(db_constraint=False, help_text='User with access.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='projectmember',
            name='project',
            field=models.ForeignKey(db_constraint=False, help_text='Project that is shared.', on_delete=django.db.models.deletion.CASCADE, related_name='members', to='workflows.project'),
        ),
        migrations.AddField(
            model_name='projectmember',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='projectmember',
            name='user',
            field=models.ForeignKey(db_constraint=False, help_text='User with access.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='calendarmember',
            index=models.Index(fields=['tenant', 'user'], name='wf_calendar_member'),
        ),
        AlterConstraints(
            add=[
                ('calendarmember', models.UniqueConstraint(fields=('tenant', 'calendar', 'user'), name='workflows_calendarmember_once', violation_error_message='This user is already a member of the calendar.')),
                ('calendarmember', models.CheckConstraint(condition=models.Q(('access__in', ['read', 'write'])), name='workflows_calendarmember_access_known', violation_error_message='access: must be one of read, write.')),
                ('calendarmember', config.db.constraints.RowLevelSecurity(deletable='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR user_id = (SELECT conclave_current_user()) OR calendar_id IN (SELECT id FROM workflows_calendar WHERE user_id = (SELECT conclave_current_user())))', name='workflows_calendarmember_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR calendar_id IN (SELECT conclave_calendars(false)))', write='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR calendar_id IN (SELECT id FROM workflows_calendar WHERE user_id = (SELECT conclave_current_user())))')),
                ('calendarmember', models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_calendarmember_tenant_id')),
                ('calendarmember', config.db.constraints.SameTenant(column='user_id', field='user', name='workflows_calendarmember_user_same', on_delete='CASCADE', target='accounts.Membership')),
                ('calendarmember', config.db.constraints.SameTenant(field='calendar', name='workflows_calendarmember_calendar_same', on_delete='CASCADE')),
                ('calendarmember', config.db.constraints.AuditTrigger(label='workflows.calendarmember', name='workflows_calendarmember_audit', redact=('access',))),
                ('calendarmember', config.db.constraints.UpdatedAtTrigger(name='workflows_calendarmember_updated_at')),
            ],
        ),
        migrations.AddIndex(
            model_name='projectmember',
            index=models.Index(fields=['tenant', 'user'], name='wf_project_member'),
        ),
        AlterConstraints(
            add=[
                ('projectmember', models.UniqueConstraint(fields=('tenant', 'project', 'user'), name='workflows_projectmember_once', violation_error_message='This user is already a member of the project.')),
                ('projectmember', models.CheckConstraint(condition=models.Q(('access__in', ['read', 'write'])), name='workflows_projectmember_access_known', violation_error_message='access: must be one of read, write.')),
                ('projectmember', config.db.constraints.RowLevelSecurity(deletable='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR user_id = (SELECT conclave_current_user()) OR project_id IN (SELECT id FROM workflows_project WHERE user_id = (SELECT conclave_current_user())))', name='workflows_projectmember_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR project_id IN (SELECT conclave_projects(false)))', write='tenant_id = (SELECT conclave_current_tenant()) AND ((SELECT conclave_current_user()) IS NULL OR project_id IN (SELECT id FROM workflows_project WHERE user_id = (SELECT conclave_current_user())))')),
                ('projectmember', models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_projectmember_tenant_id')),
                ('projectmember', config.db.constraints.SameTenant(column='user_id', field='user', name='workflows_projectmember_user_same', on_delete='CASCADE', target='accounts.Membership')),
                ('projectmember', config.db.constraints.SameTenant(field='project', name='workflows_projectmember_project_same', on_delete='CASCADE')),
                ('projectmember', config.db.constraints.AuditTrigger(label='workflows.projectmember', name='workflows_projectmember_audit', redact=('access',))),
                ('projectmember', config.db.constraints.UpdatedAtTrigger(name='workflows_projectmember_updated_at')),
            ],
        ),
    ])
