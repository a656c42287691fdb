import config.db.constraints
import config.db.ids
import config.db.partitions
import config.db.types
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models

from audit import triggers
from config.db.operations import RunDeferredSQL


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0002_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditLog',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.GeneratedField(db_persist=True, expression=models.Func(models.F('id'), function='conclave_uuid_time'), help_text='When the row was made, to the millisecond; part of its id.', output_field=models.DateTimeField())),
                ('tenant_id', models.UUIDField(help_text="Tenant whose row it was; empty: the platform's.", null=True)),
                ('user_id', models.UUIDField(help_text='Person who acted.', null=True)),
                ('actor', models.CharField(help_text='Who acted: `user:…`, `key:…`, `system:…`.', max_length=255)),
                ('action', models.CharField(help_text='What was done, such as `agent.updated`.', max_length=255)),
                ('resource_type', models.CharField(help_text='Kind of thing, such as `agents.agent`.', max_length=100)),
                ('resource_id', models.CharField(default='', help_text='Its id.', max_length=255)),
                ('old_values', models.JSONField(help_text='Changed values, before.', null=True)),
                ('new_values', models.JSONField(help_text='Changed values, after.', null=True)),
                ('ip_address', models.GenericIPAddressField(help_text='Address the request came from.', null=True)),
                ('user_agent', models.TextField(default='', help_text='Program the request came from.')),
                ('request_id', models.CharField(default='', help_text="The request's id.", max_length=255)),
                ('db_user', models.CharField(help_text='Database login that wrote.', max_length=63)),
                ('status', models.CharField(choices=[('success', 'Success'), ('failure', 'Failure'), ('error', 'Error')], default='success', help_text='How it ended.', max_length=20)),
                ('error_message', models.TextField(default='', help_text='Why it failed.')),
                ('metadata', models.JSONField(default=dict, help_text='Further details.')),
                ('xid', config.db.types.TransactionIdField(db_default=config.db.types.CurrentTransactionId(), help_text='Transaction that wrote it.')),
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
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When the row was made.')),
                ('n', models.BigIntegerField(help_text='Place in the chain, from 1.', unique=True)),
                ('partition', models.CharField(help_text='Partition it covers.', max_length=63)),
                ('xid_lo', config.db.types.TransactionIdField(help_text='First transaction covered.')),
                ('xid_hi', config.db.types.TransactionIdField(help_text='First transaction not covered.')),
                ('row_count', models.BigIntegerField(help_text='Rows covered.')),
                ('root', models.BinaryField(help_text="SHA-256 over the rows' hashes.")),
                ('prev', models.BinaryField(help_text='Hash of the seal before.')),
                ('hash', models.BinaryField(help_text='SHA-256 over the seal before, the root and the window.')),
                ('system_identifier', models.BigIntegerField(help_text='Database cluster whose transaction ids these are.')),
                ('sealed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it was sealed.')),
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
                ('created_at', models.GeneratedField(db_persist=True, expression=models.Func(models.F('id'), function='conclave_uuid_time'), help_text='When the row was made, to the millisecond; part of its id.', output_field=models.DateTimeField())),
                ('tenant_id', models.UUIDField(blank=True, help_text='Tenant concerned; empty: none yet.', null=True)),
                ('event_type', models.CharField(help_text='What happened, such as `auth.login_failed`.', max_length=100)),
                ('event_category', models.CharField(choices=[('auth', 'Auth'), ('access', 'Access'), ('data', 'Data'), ('config', 'Config')], help_text='Kind of event.', max_length=50)),
                ('severity', models.CharField(choices=[('INFO', 'Info'), ('WARNING', 'Warning'), ('ERROR', 'Error'), ('CRITICAL', 'Critical')], default='INFO', help_text='How grave it is.', max_length=20)),
                ('actor_user_id', models.UUIDField(blank=True, help_text='Person who acted, when known.', null=True)),
                ('actor_email', models.CharField(blank=True, default='', help_text='Address given.', max_length=255)),
                ('actor_role', models.CharField(blank=True, default='', help_text='Role at the time.', max_length=50)),
                ('target_type', models.CharField(blank=True, default='', help_text='Kind of thing concerned.', max_length=50)),
                ('target_id', models.CharField(blank=True, default='', help_text='Its id.', max_length=255)),
                ('target_details', models.JSONField(blank=True, default=dict, help_text='What it was.')),
                ('ip_address', models.GenericIPAddressField(blank=True, help_text='Address of the request.', null=True)),
                ('user_agent', models.TextField(blank=True, default='', help_text='Program of the request.')),
                ('request_id', models.CharField(blank=True, default='', help_text="The request's id.", max_length=255)),
                ('session_id', models.CharField(blank=True, default='', help_text="Hash of the session's key.", max_length=255)),
                ('action', models.CharField(help_text='What was attempted.', max_length=100)),
                ('result', models.CharField(choices=[('success', 'Success'), ('failure', 'Failure'), ('error', 'Error')], help_text='How it ended.', max_length=20)),
                ('error_code', models.CharField(blank=True, default='', help_text='Code of the refusal.', max_length=50)),
                ('details', models.JSONField(blank=True, default=dict, help_text='Further details.')),
                ('requires_review', models.BooleanField(default=False, help_text='Whether somebody should look at it.')),
                ('reviewed_at', models.DateTimeField(blank=True, help_text='When it was looked at.', null=True)),
                ('reviewed_by', models.UUIDField(blank=True, help_text='Who looked at it.', null=True)),
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
    ]
