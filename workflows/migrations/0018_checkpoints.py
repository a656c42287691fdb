"""State of LangGraph graphs. New tables only."""

import config.db.constraints
import config.db.ids
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0017_stored_outputs'),
    ]

    operations = [
        migrations.CreateModel(
            name='GraphChannelValue',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('thread_id', models.CharField(help_text='ID of the thread, which the program chooses.', max_length=255)),
                ('namespace', models.CharField(blank=True, default='', help_text='Path of the subgraph. Empty: the graph itself.', max_length=500)),
                ('value_type', models.CharField(help_text='Format of the serialised value, such as `msgpack`; `empty` if it has none.', max_length=20)),
                ('value', models.BinaryField(default=bytes, help_text='Value, serialised by LangGraph.')),
                ('size_bytes', models.BigIntegerField(default=0, editable=False, help_text='Size of the serialised value.')),
                ('storage_path', models.CharField(blank=True, default='', editable=False, help_text='File of a value above 256 kB, which `value` lacks.', max_length=500)),
                ('channel', models.CharField(help_text='Name of the channel.', max_length=255)),
                ('version', models.CharField(help_text='Version of the channel.', max_length=100)),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user', 'thread_id', 'namespace', 'channel', 'version'), name='workflows_graphchannelvalue_once', violation_error_message='The value exists.'), config.db.constraints.RowLevelSecurity(name='workflows_graphchannelvalue_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_graphchannelvalue_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='workflows_graphchannelvalue_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.UpdatedAtTrigger(name='workflows_graphchannelvalue_updated_at')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='GraphCheckpoint',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('thread_id', models.CharField(help_text='ID of the thread, which the program chooses.', max_length=255)),
                ('namespace', models.CharField(blank=True, default='', help_text='Path of the subgraph. Empty: the graph itself.', max_length=500)),
                ('value_type', models.CharField(help_text='Format of the serialised value, such as `msgpack`; `empty` if it has none.', max_length=20)),
                ('value', models.BinaryField(default=bytes, help_text='Value, serialised by LangGraph.')),
                ('size_bytes', models.BigIntegerField(default=0, editable=False, help_text='Size of the serialised value.')),
                ('storage_path', models.CharField(blank=True, default='', editable=False, help_text='File of a value above 256 kB, which `value` lacks.', max_length=500)),
                ('checkpoint_id', models.CharField(help_text='ID of the checkpoint; later ones are greater.', max_length=100)),
                ('parent_checkpoint_id', models.CharField(blank=True, default='', help_text='ID of the checkpoint before. Empty: none.', max_length=100)),
                ('channel_versions', models.JSONField(blank=True, default=dict, help_text='Version of each channel: {"messages": "3.0.52"}.')),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Origin of the checkpoint: {"source": "loop", "step": 1}.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user', 'thread_id', 'namespace', 'checkpoint_id'), name='workflows_graphcheckpoint_once', violation_error_message='The checkpoint exists.'), config.db.constraints.RowLevelSecurity(name='workflows_graphcheckpoint_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_graphcheckpoint_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='workflows_graphcheckpoint_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.UpdatedAtTrigger(name='workflows_graphcheckpoint_updated_at')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='GraphWrite',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('thread_id', models.CharField(help_text='ID of the thread, which the program chooses.', max_length=255)),
                ('namespace', models.CharField(blank=True, default='', help_text='Path of the subgraph. Empty: the graph itself.', max_length=500)),
                ('value_type', models.CharField(help_text='Format of the serialised value, such as `msgpack`; `empty` if it has none.', max_length=20)),
                ('value', models.BinaryField(default=bytes, help_text='Value, serialised by LangGraph.')),
                ('size_bytes', models.BigIntegerField(default=0, editable=False, help_text='Size of the serialised value.')),
                ('storage_path', models.CharField(blank=True, default='', editable=False, help_text='File of a value above 256 kB, which `value` lacks.', max_length=500)),
                ('checkpoint_id', models.CharField(help_text='ID of the checkpoint.', max_length=100)),
                ('task_id', models.CharField(help_text='ID of the task.', max_length=100)),
                ('task_path', models.TextField(blank=True, default='', help_text='Path of the task, which orders tasks.')),
                ('position', models.IntegerField(help_text='Position within the task; negative for special channels.')),
                ('channel', models.CharField(help_text='Name of the channel.', max_length=255)),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user', 'thread_id', 'namespace', 'checkpoint_id', 'task_id', 'position'), name='workflows_graphwrite_once', violation_error_message='The write exists.'), config.db.constraints.RowLevelSecurity(name='workflows_graphwrite_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_graphwrite_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='workflows_graphwrite_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.UpdatedAtTrigger(name='workflows_graphwrite_updated_at')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
    ]
