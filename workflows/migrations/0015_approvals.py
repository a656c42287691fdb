"""Approvals by several people, with forms, times, decisions and links. Short locks.

Backwards, an approval keeps its first assignee, and cancelled ones become expired.
"""

import config.db.constraints
import config.db.engagements
import config.db.ids
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models

from workflows import approval_functions


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0014_run_control'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='approval',
            name='workflows_approval_status_known',
        ),
        migrations.RemoveConstraint(
            model_name='approval',
            name='workflows_approval_decided',
        ),
        migrations.RemoveConstraint(
            model_name='approval',
            name='workflows_approval_audit',
        ),
        migrations.CreateModel(
            name='ApprovalAssignee',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
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
            name='ApprovalDecision',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('decision', models.CharField(choices=[('approved', 'Approved'), ('rejected', 'Rejected')], help_text='Approved or rejected.', max_length=20)),
                ('comment', models.TextField(blank=True, default='', help_text='Reason for the decision.')),
                ('values', models.JSONField(blank=True, help_text='Values entered in the form.', null=True)),
                ('channel', models.CharField(choices=[('api', 'API'), ('console', 'Console'), ('link', 'Link')], help_text='Where the decision was made.', max_length=10)),
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
            name='ApprovalLink',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('token_digest', models.BinaryField(help_text='SHA-256 of the token in the link.', unique=True)),
                ('expires_at', models.DateTimeField(help_text='Expiry time.')),
                ('used_at', models.DateTimeField(blank=True, editable=False, help_text='Time at which the link was used.', null=True)),
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
            model_name='approval',
            name='candidate_roles',
            field=models.JSONField(blank=True, default=list, help_text='Roles whose members can decide, such as ["analyst", "editor"].'),
        ),
        migrations.AddField(
            model_name='approval',
            name='due_at',
            field=models.DateTimeField(blank=True, help_text='When it is escalated.', null=True),
        ),
        migrations.AddField(
            model_name='approval',
            name='escalate_to',
            field=models.JSONField(blank=True, default=list, help_text='Members (by e-mail address) and roles that are asked when it is due.'),
        ),
        migrations.AddField(
            model_name='approval',
            name='escalated_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='Time of the escalation.', null=True),
        ),
        migrations.AddField(
            model_name='approval',
            name='form',
            field=models.JSONField(blank=True, help_text='JSON Schema of the values to enter.', null=True),
        ),
        migrations.AddField(
            model_name='approval',
            name='remind_at',
            field=models.DateTimeField(blank=True, help_text='Time of the next reminder.', null=True),
        ),
        migrations.AddField(
            model_name='approval',
            name='on_reject',
            field=models.CharField(choices=[('fail', 'Fail'), ('branch', 'Branch')], db_default='fail', default='fail', help_text='Whether a rejection or expiry fails the step, or becomes its output.', max_length=10),
        ),
        migrations.AddField(
            model_name='approval',
            name='remind_seconds',
            field=models.PositiveIntegerField(blank=True, help_text='Seconds between reminders.', null=True),
        ),
        migrations.AddField(
            model_name='approval',
            name='required',
            field=models.PositiveSmallIntegerField(db_default=1, default=1, help_text='Number of people who must approve.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)]),
        ),
        migrations.AddField(
            model_name='approval',
            name='values',
            field=models.JSONField(blank=True, editable=False, help_text='Values that were entered.', null=True),
        ),
        migrations.AlterField(
            model_name='approval',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('expired', 'Expired'), ('cancelled', 'Cancelled')], default='pending', help_text='Decision.', max_length=20),
        ),
        migrations.AddField(
            model_name='approvalassignee',
            name='approval',
            field=models.ForeignKey(db_constraint=False, help_text='Requested decision.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='assignees', to='workflows.approval'),
        ),
        migrations.AddField(
            model_name='approvalassignee',
            name='delegated_by',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='Member who delegated the decision to this one.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='approvalassignee',
            name='delegated_to',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='Member who decides instead.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='approvalassignee',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='approvalassignee',
            name='user',
            field=models.ForeignKey(db_constraint=False, help_text='Member who is asked.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='approvaldecision',
            name='approval',
            field=models.ForeignKey(db_constraint=False, help_text='Decided approval.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='decisions', to='workflows.approval'),
        ),
        migrations.AddField(
            model_name='approvaldecision',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='approvaldecision',
            name='user',
            field=models.ForeignKey(db_constraint=False, help_text='Member who decided.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='approvallink',
            name='approval',
            field=models.ForeignKey(db_constraint=False, help_text='Requested decision.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='links', to='workflows.approval'),
        ),
        migrations.AddField(
            model_name='approvallink',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='approvallink',
            name='user',
            field=models.ForeignKey(db_constraint=False, help_text='Recipient of the e-mail.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='approval',
            name='next_action_at',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Least('remind_at', 'expires_at', models.Case(models.When(escalated_at=None, then='due_at'))), help_text='Time of the next reminder, of the escalation or of the expiry.', output_field=models.DateTimeField(null=True)),
        ),
        migrations.AddIndex(
            model_name='approvalassignee',
            index=models.Index(fields=['tenant', 'user'], name='wf_assignee_user'),
        ),
        migrations.AddIndex(
            model_name='approvalassignee',
            index=models.Index(fields=['tenant', 'delegated_by'], name='wf_assignee_delegated_by'),
        ),
        migrations.AddIndex(
            model_name='approvalassignee',
            index=models.Index(fields=['tenant', 'delegated_to'], name='wf_assignee_delegated_to'),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=models.UniqueConstraint(fields=('tenant', 'approval', 'user'), name='workflows_approvalassignee_once', violation_error_message='This member is already asked.'),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=config.db.constraints.RowLevelSecurity(name='workflows_approvalassignee_rls'),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_approvalassignee_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=config.db.engagements.EngagementIsolation(name='workflows_approvalassignee_engagement', parents={'approval_id': 'workflows_approval'}),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=config.db.constraints.SameTenant(field='approval', name='workflows_approvalassignee_approval_same', on_delete='CASCADE'),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=config.db.constraints.SameTenant(column='user_id', field='user', name='workflows_approvalassignee_user_same', on_delete='CASCADE', target='accounts.Membership'),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=config.db.constraints.SameTenant(column='user_id', field='delegated_by', name='workflows_approvalassignee_delegated_by_same', on_delete='SET NULL', target='accounts.Membership'),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=config.db.constraints.SameTenant(column='user_id', field='delegated_to', name='workflows_approvalassignee_delegated_to_same', on_delete='SET NULL', target='accounts.Membership'),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=config.db.constraints.UpdatedAtTrigger(name='workflows_approvalassignee_updated_at'),
        ),
        migrations.AddConstraint(
            model_name='approvalassignee',
            constraint=config.db.constraints.AuditTrigger(label='workflows.approvalassignee', name='workflows_approvalassignee_audit'),
        ),
        migrations.AddIndex(
            model_name='approvaldecision',
            index=models.Index(fields=['tenant', 'user'], name='wf_decision_user'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=models.UniqueConstraint(fields=('tenant', 'approval', 'user'), name='workflows_approvaldecision_once', violation_error_message='This member has already decided.'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=models.CheckConstraint(condition=models.Q(('decision__in', ['approved', 'rejected'])), name='workflows_approvaldecision_decision_known', violation_error_message='decision: must be one of approved, rejected.'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=models.CheckConstraint(condition=models.Q(('channel__in', ['api', 'console', 'link'])), name='workflows_approvaldecision_channel_known', violation_error_message='channel: must be one of api, console, link.'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=config.db.constraints.RowLevelSecurity(name='workflows_approvaldecision_rls', verbs='SELECT, INSERT'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_approvaldecision_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=config.db.engagements.EngagementIsolation(name='workflows_approvaldecision_engagement', parents={'approval_id': 'workflows_approval'}),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=config.db.constraints.SameTenant(field='approval', name='workflows_approvaldecision_approval_same', on_delete='CASCADE'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=config.db.constraints.SameTenant(column='user_id', field='user', name='workflows_approvaldecision_user_same', on_delete='SET NULL', target='accounts.Membership'),
        ),
        migrations.AddConstraint(
            model_name='approvaldecision',
            constraint=config.db.constraints.AuditTrigger(label='workflows.approvaldecision', name='workflows_approvaldecision_audit', redact=('values',)),
        ),
        migrations.AddIndex(
            model_name='approvallink',
            index=models.Index(fields=['tenant', 'approval'], name='wf_link_approval'),
        ),
        migrations.AddIndex(
            model_name='approvallink',
            index=models.Index(fields=['tenant', 'user'], name='wf_link_user'),
        ),
        migrations.AddConstraint(
            model_name='approvallink',
            constraint=config.db.constraints.RowLevelSecurity(hidden=('token_digest',), name='workflows_approvallink_rls'),
        ),
        migrations.AddConstraint(
            model_name='approvallink',
            constraint=models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_approvallink_tenant_id'),
        ),
        migrations.AddConstraint(
            model_name='approvallink',
            constraint=config.db.engagements.EngagementIsolation(name='workflows_approvallink_engagement', parents={'approval_id': 'workflows_approval'}),
        ),
        migrations.AddConstraint(
            model_name='approvallink',
            constraint=config.db.constraints.SameTenant(field='approval', name='workflows_approvallink_approval_same', on_delete='CASCADE'),
        ),
        migrations.AddConstraint(
            model_name='approvallink',
            constraint=config.db.constraints.SameTenant(column='user_id', field='user', name='workflows_approvallink_user_same', on_delete='CASCADE', target='accounts.Membership'),
        ),
        migrations.AddConstraint(
            model_name='approvallink',
            constraint=config.db.constraints.UpdatedAtTrigger(name='workflows_approvallink_updated_at'),
        ),
        migrations.AddConstraint(
            model_name='approvallink',
            constraint=config.db.constraints.AuditTrigger(label='workflows.approvallink', name='workflows_approvallink_audit', redact=('token_digest',)),
        ),
        migrations.RunSQL(approval_functions.APPROVAL_CANDIDATES, approval_functions.APPROVAL_CANDIDATES_UNDO),
        migrations.RemoveIndex(
            model_name='approval',
            name='wf_approval_assigned',
        ),
        migrations.RemoveConstraint(
            model_name='approval',
            name='workflows_approval_assigned_to_same',
        ),
        migrations.RemoveField(
            model_name='approval',
            name='assigned_to',
        ),
        migrations.AddIndex(
            model_name='approval',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['next_action_at'], name='wf_approval_next_action'),
        ),
        migrations.AddConstraint(
            model_name='approval',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'approved', 'rejected', 'expired', 'cancelled'])), name='workflows_approval_status_known', violation_error_message='status: must be one of pending, approved, rejected, expired, cancelled.'),
        ),
        migrations.AddConstraint(
            model_name='approval',
            constraint=models.CheckConstraint(condition=models.Q(('on_reject__in', ['fail', 'branch'])), name='workflows_approval_on_reject_known', violation_error_message='on_reject: must be one of fail, branch.'),
        ),
        migrations.AddConstraint(
            model_name='approval',
            constraint=models.CheckConstraint(condition=models.Q(('required__range', (1, 100)), ('required', None), _connector='OR'), name='workflows_approval_required_range', violation_error_message='required: must be between 1 and 100.'),
        ),
        migrations.AddConstraint(
            model_name='approval',
            constraint=models.CheckConstraint(condition=models.Q(('decided_at__isnull', False), ('status__in', ['pending', 'expired', 'cancelled']), _connector='OR'), name='workflows_approval_decided', violation_error_message='A decision requires a decision time.'),
        ),
        migrations.AddConstraint(
            model_name='approval',
            constraint=config.db.engagements.EngagementIsolation(name='workflows_approval_engagement', parents={'step_id': 'workflows_stepexecution'}),
        ),
        migrations.AddConstraint(
            model_name='approval',
            constraint=config.db.constraints.AuditTrigger(label='workflows.approval', name='workflows_approval_audit', omit=('form', 'remind_at'), redact=('values',)),
        ),
        migrations.RunSQL(approval_functions.DUE_APPROVALS, approval_functions.DUE_APPROVALS_DROP),
        migrations.RunSQL(approval_functions.APPROVAL_LINK, approval_functions.APPROVAL_LINK_DROP),
        migrations.RunSQL(approval_functions.CANCEL_APPROVALS, approval_functions.CANCEL_APPROVALS_DROP),
    ]
