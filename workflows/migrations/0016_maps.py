"""Progress and items of maps, with their SQL functions. Short locks."""

import config.db.constraints
import config.db.engagements
import config.db.ids
import config.db.partitions
import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models

from workflows import map_functions


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0020_request_count_policy'),
        ('workflows', '0015_approvals'),
    ]

    operations = [
        migrations.CreateModel(
            name='MapItem',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.GeneratedField(db_persist=True, expression=models.Func(models.F('id'), function='conclave_uuid_time'), help_text='Creation time in milliseconds, taken from the ID.', output_field=models.DateTimeField())),
                ('position', models.PositiveIntegerField(help_text='Position of the item, starting at 0.')),
                ('status', models.CharField(choices=[('completed', 'Completed'), ('failed', 'Failed')], help_text='Status of the item.', max_length=20)),
                ('output_data', models.JSONField(blank=True, help_text='Outputs of the steps by ID.', null=True)),
                ('error_code', models.CharField(blank=True, db_default='', default='', help_text='Code of the error.', max_length=100)),
                ('error_message', models.TextField(blank=True, db_default='', default='', help_text='Error message.')),
                ('step', models.ForeignKey(db_constraint=False, help_text='Attempt of the map.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='map_items', to='workflows.stepexecution')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'step', 'position'], name='wf_map_item_position')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['completed', 'failed'])), name='workflows_mapitem_status_known', violation_error_message='status: must be one of completed, failed.'), config.db.constraints.RowLevelSecurity(name='workflows_mapitem_rls', verbs='SELECT, INSERT'), models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_mapitem_tenant_id'), config.db.engagements.EngagementIsolation(name='workflows_mapitem_engagement', parents={'step_id': 'workflows_stepexecution'}), config.db.constraints.SameTenant(field='step', name='workflows_mapitem_step_same', on_delete='CASCADE')],
            },
            bases=(config.db.partitions.PartitionedMixin, models.Model),
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='MapRange',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('start', models.PositiveIntegerField(help_text='Index of the first of the items to run.')),
                ('stop', models.PositiveIntegerField(help_text='Index after the last item.')),
                ('is_done', models.BooleanField(db_default=False, default=False, help_text='Whether the items are finished.')),
                ('helper', models.ForeignKey(db_constraint=False, help_text='Attempt that works on the items.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='workflows.stepexecution')),
                ('step', models.ForeignKey(db_constraint=False, help_text='Attempt of the map.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='workflows.stepexecution')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(condition=models.Q(('is_done', False)), fields=['tenant', 'helper'], name='wf_range_open')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'step', 'start'), name='workflows_maprange_once', violation_error_message='The range is taken.'), config.db.constraints.RowLevelSecurity(name='workflows_maprange_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_maprange_tenant_id'), config.db.engagements.EngagementIsolation(name='workflows_maprange_engagement', parents={'step_id': 'workflows_stepexecution'}), config.db.constraints.SameTenant(field='step', name='workflows_maprange_step_same', on_delete='CASCADE'), config.db.constraints.SameTenant(field='helper', name='workflows_maprange_helper_same', on_delete='CASCADE'), config.db.constraints.UpdatedAtTrigger(name='workflows_maprange_updated_at')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='MapState',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('items', models.JSONField(default=list, help_text='Items as a JSON list.')),
                ('positions', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), blank=True, help_text='Positions of the items to run. Empty: all; an earlier attempt finished the others.', null=True, size=None)),
                ('total', models.PositiveIntegerField(help_text='Number of items.')),
                ('next', models.PositiveIntegerField(db_default=0, default=0, help_text='Index of the next of these items that no range has.')),
                ('done', models.PositiveIntegerField(db_default=0, default=0, help_text='Number of finished items.')),
                ('failed', models.PositiveIntegerField(db_default=0, default=0, help_text='Number of failed items.')),
                ('step', models.ForeignKey(db_constraint=False, help_text='Attempt of the map.', on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='workflows.stepexecution')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'step'), name='workflows_mapstate_once', violation_error_message='The map has a state.'), config.db.constraints.RowLevelSecurity(name='workflows_mapstate_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='workflows_mapstate_tenant_id'), config.db.engagements.EngagementIsolation(name='workflows_mapstate_engagement', parents={'step_id': 'workflows_stepexecution'}), config.db.constraints.SameTenant(field='step', name='workflows_mapstate_step_same', on_delete='CASCADE'), config.db.constraints.UpdatedAtTrigger(name='workflows_mapstate_updated_at')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE workflows_mapstate SET (fillfactor = 50);", "ALTER TABLE workflows_mapstate RESET (fillfactor);"
        ),
        migrations.RunSQL(map_functions.MAPS, map_functions.MAPS_DROP),
    ]
