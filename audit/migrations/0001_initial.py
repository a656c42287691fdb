import config.db.constraints
import config.db.ids
import config.db.partitions
import config.db.types
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models

from audit import triggers
from config.db.operations import RunDeferredSQL, group_operations


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0002_initial'),
    ]

    operations = group_operations([
        migrations.CreateModel(
            name='AuditLog',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.GeneratedField(db_persist=True, expression=models.Func(models.F('id'), function='conclave_uuid_time'), help_text='Creation time in milliseconds, taken from the ID.', output_field=models.DateTimeField())),
                ('tenant_id', models.UUIDField(help_text='Tenant of the row. Empty: the platform.', null=True)),
                ('user_id', models.UUIDField(help_text='User who acted.', null=True)),
                ('actor', models.CharField(help_text='Actor: `user:…`, `key:…` or `system:…`.', max_length=255)),
                ('action', models.CharField(help_text='Action, such as `agent.updated`.', max_length=255)),
                ('resource_type', models.CharField(help_text='Type of resource, such as `agents.agent`.', max_length=100)),
                ('resource_id', models.CharField(default='', help_text='ID of the resource.', max_length=255)),
                ('old_values', models.JSONField(help_text='Changed values before the change.', null=True)),
                ('new_values', models.JSONField(help_text='Changed values after the change.', null=True)),
                ('ip_address', models.GenericIPAddressField(help_text='IP address of the request.', null=True)),
                ('user_agent', models.TextField(default='', help_text='User agent of the request.')),
                ('request_id', models.CharField(default='', help_text='Request ID.', max_length=255)),
                ('db_user', models.CharField(help_text='Database login that wrote the row.', max_length=63)),
                ('status', models.CharField(choices=[('success', 'Success'), ('failure', 'Failure'), ('error', 'Error')], default='success', help_text='Result of the action.', max_length=20)),
                ('error_message', models.TextField(default='', help_text='Error message.')),
                ('metadata', models.JSONField(default=dict, help_text='Additional details.')),
                ('xid', config.db.types.TransactionIdField(db_default=config.db.types.CurrentTransactionId(), help_text='Transaction that wrote the row.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant_id', '-id'], name='audit_auditlog_latest'), models.Index(fields=['tenant_id', 'resource_type', 'resource_id', '-id'], name='audit_auditlog_resource'), models.Index(fields=['tenant_id', 'user_id', '-id'], name='audit_auditlog_user'), models.Index(fields=['xid'], name='audit_auditlog_xid')],
                'constraints': [config.db.constraints.RowLevelSecurity(name='audit_auditlog_rls', operator='SELECT', owner='conclave_audit', owner_verbs='SELECT, INSERT', verbs='SELECT')],
            },
            bases=(config.db.partitions.PartitionedMixin, models.Model),
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='AuditSeal',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('n', models.BigIntegerField(help_text='Position in the chain, starting at 1.', unique=True)),
                ('partition', models.CharField(help_text='Partition that the seal covers.', max_length=63)),
                ('xid_lo', config.db.types.TransactionIdField(help_text='First transaction covered.')),
                ('xid_hi', config.db.types.TransactionIdField(help_text='First transaction not covered.')),
                ('row_count', models.BigIntegerField(help_text='Number of rows covered.')),
                ('root', models.BinaryField(help_text='SHA-256 of the row hashes.')),
                ('prev', models.BinaryField(help_text='Hash of the previous seal.')),
                ('hash', models.BinaryField(help_text='SHA-256 of the previous seal, the root and the window.')),
                ('system_identifier', models.BigIntegerField(help_text='Database cluster of the transaction IDs.')),
                ('sealed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When the seal was created.')),
            ],
            options={
                'ordering': ['-n'],
                'abstract': False,
                'constraints': [config.db.constraints.RowLevelSecurity(name='audit_auditseal_rls', operator='SELECT', owner='conclave_audit', owner_verbs='SELECT, INSERT', read='false', verbs='')],
            },
        ),
        migrations.CreateModel(
            name='SecurityAuditLog',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.GeneratedField(db_persist=True, expression=models.Func(models.F('id'), function='conclave_uuid_time'), help_text='Creation time in milliseconds, taken from the ID.', output_field=models.DateTimeField())),
                ('tenant_id', models.UUIDField(blank=True, help_text='Affected tenant, if any.', null=True)),
                ('event_type', models.CharField(help_text='Type of event, such as `auth.login_failed`.', max_length=100)),
                ('event_category', models.CharField(choices=[('auth', 'Auth'), ('access', 'Access'), ('data', 'Data'), ('config', 'Config')], help_text='Event category.', max_length=50)),
                ('severity', models.CharField(choices=[('INFO', 'Info'), ('WARNING', 'Warning'), ('ERROR', 'Error'), ('CRITICAL', 'Critical')], default='INFO', help_text='Severity.', max_length=20)),
                ('actor_user_id', models.UUIDField(blank=True, help_text='User who acted, if known.', null=True)),
                ('actor_email', models.CharField(blank=True, default='', help_text='E-mail entered.', max_length=255)),
                ('actor_role', models.CharField(blank=True, default='', help_text='Role at that time.', max_length=50)),
                ('target_type', models.CharField(blank=True, default='', help_text='Type of resource affected.', max_length=50)),
                ('target_id', models.CharField(blank=True, default='', help_text='ID of the resource.', max_length=255)),
                ('target_details', models.JSONField(blank=True, default=dict, help_text='Resource details.')),
                ('ip_address', models.GenericIPAddressField(blank=True, help_text='IP address.', null=True)),
                ('user_agent', models.TextField(blank=True, default='', help_text='User agent.')),
                ('request_id', models.CharField(blank=True, default='', help_text='Request ID.', max_length=255)),
                ('session_id', models.CharField(blank=True, default='', help_text='Hash of the session key.', max_length=255)),
                ('action', models.CharField(help_text='Attempted action.', max_length=100)),
                ('result', models.CharField(choices=[('success', 'Success'), ('failure', 'Failure'), ('error', 'Error')], help_text='Result of the action.', max_length=20)),
                ('error_code', models.CharField(blank=True, default='', help_text='Error code.', max_length=50)),
                ('details', models.JSONField(blank=True, default=dict, help_text='Additional details.')),
                ('requires_review', models.BooleanField(default=False, help_text='Whether the event needs review.')),
                ('reviewed_at', models.DateTimeField(blank=True, help_text='When it was reviewed.', null=True)),
                ('reviewed_by', models.UUIDField(blank=True, help_text='User who reviewed it.', null=True)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant_id', '-id'], name='audit_security_latest'), models.Index(fields=['tenant_id', 'event_type', '-id'], name='audit_security_event'), models.Index(condition=models.Q(('requires_review', True), ('reviewed_at', None)), fields=['tenant_id', '-id'], name='audit_security_to_review')],
                'constraints': [models.CheckConstraint(condition=models.Q(('event_category__in', ['auth', 'access', 'data', 'config'])), name='audit_security_category_known'), models.CheckConstraint(condition=models.Q(('severity__in', ['INFO', 'WARNING', 'ERROR', 'CRITICAL'])), name='audit_security_severity_known'), models.CheckConstraint(condition=models.Q(('result__in', ['success', 'failure', 'error'])), name='audit_security_result_known'), config.db.constraints.RowLevelSecurity(columns=('requires_review', 'reviewed_at', 'reviewed_by'), identity='SELECT, INSERT', identity_rows='tenant_id IS NULL', name='audit_securityauditlog_rls', operator='SELECT, INSERT, UPDATE', operator_columns=('requires_review', 'reviewed_at', 'reviewed_by'), verbs='SELECT, INSERT, UPDATE')],
            },
            bases=(config.db.partitions.PartitionedMixin, models.Model),
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.RunSQL(triggers.SEAL_FUNCTIONS, triggers.DROP_SEAL_FUNCTIONS),
        RunDeferredSQL(triggers.OWNERSHIP, triggers.OWNERSHIP_REVERT),
    ])
