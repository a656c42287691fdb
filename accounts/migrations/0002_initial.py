import config.db.constraints
import config.db.ids
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models

from config.db.operations import group_operations


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('tenants', '0002_initial'),
    ]

    operations = group_operations([
        migrations.CreateModel(
            name='RoleAssignment',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='User with the role.', on_delete=django.db.models.deletion.CASCADE, related_name='role_assignments', to=settings.AUTH_USER_MODEL)),
                ('role', models.ForeignKey(db_constraint=False, help_text='Assigned role.', on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='accounts.role')),
                ('scope', models.CharField(choices=[('tenant', 'Tenant'), ('engagement', 'Engagement')], default='tenant', help_text='Reach of the role.', max_length=20)),
                ('engagement', models.ForeignKey(blank=True, db_constraint=False, help_text='Engagement that the role applies to. Required for the engagement scope.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.engagement')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether the assignment is in effect.')),
                ('granted_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='Time at which the role was assigned.')),
                ('granted_by', models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='User who assigned the role.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('expires_at', models.DateTimeField(blank=True, help_text='Expiry time, if any.', null=True)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user', 'role', 'engagement'), name='accounts_roleassignment_once', nulls_distinct=False, violation_error_message='This user already has this role.'), models.CheckConstraint(condition=models.Q(models.Q(('engagement', None), ('scope', 'tenant')), models.Q(('engagement__isnull', False), ('scope', 'engagement')), _connector='OR'), name='accounts_roleassignment_role_scope', violation_error_message='Set an engagement for the engagement scope only.'), config.db.constraints.RowLevelSecurity(name='accounts_roleassignment_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_roleassignment_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_roleassignment_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.SameTenant(field='role', name='accounts_roleassignment_role_same', on_delete='CASCADE'), config.db.constraints.SameTenant(field='engagement', name='accounts_roleassignment_engagement_same', on_delete='CASCADE'), config.db.constraints.SameTenant(column='user_id', field='granted_by', name='accounts_roleassignment_granted_by_same', on_delete='SET NULL', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.roleassignment', name='accounts_roleassignment_audit')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
    ])
