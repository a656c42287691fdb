import config.db.constraints
import config.db.ids
import config.encryption.fields
import django.core.validators
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
        ('tenants', '0001_initial'),
    ]

    operations = group_operations([
        migrations.CreateModel(
            name='BridgeSync',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, editable=False, help_text='User who owns the link.', on_delete=django.db.models.deletion.CASCADE, related_name='bridges', to=settings.AUTH_USER_MODEL)),
                ('url', models.CharField(help_text='URL of the server.', max_length=500, validators=[django.core.validators.URLValidator(schemes=['https', 'http'])])),
                ('api_key', config.encryption.fields.EncryptedTextField(blank=True, help_text='API key of the server, stored encrypted. Enter it again when you change the URL.', null=True)),
                ('sync_enabled', models.BooleanField(default=True, help_text='Whether to synchronise. Requires a key.')),
                ('last_sync_at', models.DateTimeField(blank=True, editable=False, help_text='Latest successful synchronisation.', null=True)),
                ('sync_status', models.CharField(choices=[('pending', 'Pending'), ('success', 'Success'), ('failed', 'Failed')], default='pending', editable=False, help_text='Result of the latest synchronisation.', max_length=50)),
                ('sync_data', models.JSONField(blank=True, default=dict, help_text='Synchronised data, by type.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'sync_status'], name='tenants_bridgesync_status')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user', 'url'), name='tenants_bridgesync_once', violation_error_message='You already have a link to this server.'), models.CheckConstraint(condition=models.Q(('sync_status__in', ['pending', 'success', 'failed'])), name='tenants_bridgesync_status_known'), models.CheckConstraint(condition=models.Q(('sync_enabled', False), ('api_key__isnull', False), _connector='OR'), name='tenants_bridgesync_key', violation_error_message='An API key is required to enable synchronisation.'), config.db.constraints.RowLevelSecurity(hidden=('api_key',), name='tenants_bridgesync_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='tenants_bridgesync_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='tenants_bridgesync_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='tenants.bridgesync', name='tenants_bridgesync_audit', omit=('last_sync_at',), redact=('api_key',))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='Engagement',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('name', models.CharField(help_text='Name of the project.', max_length=255)),
                ('description', models.TextField(blank=True, default='', help_text='Goals of the project.')),
                ('engagement_type', models.CharField(blank=True, choices=[('assessment', 'Assessment'), ('migration', 'Migration'), ('modernization', 'Modernization')], default='', help_text='Type of project.', max_length=50)),
                ('status', models.CharField(choices=[('planning', 'Planning'), ('active', 'Active'), ('on_hold', 'On Hold'), ('completed', 'Completed'), ('cancelled', 'Cancelled')], default='planning', help_text='Status of the project.', max_length=50)),
                ('start_date', models.DateField(blank=True, help_text='First day.', null=True)),
                ('end_date', models.DateField(blank=True, help_text='Last day.', null=True)),
                ('target_applications', models.PositiveIntegerField(blank=True, help_text='Applications covered by the project.', null=True)),
                ('target_infrastructure_units', models.PositiveIntegerField(blank=True, help_text='Servers, databases and other infrastructure covered by the project.', null=True)),
                ('estimated_complexity', models.CharField(blank=True, choices=[('low', 'Low'), ('medium', 'Medium'), ('high', 'High'), ('very_high', 'Very High')], default='', help_text='Initial estimate.', max_length=20)),
                ('created_by', models.ForeignKey(blank=True, db_constraint=False, editable=False, help_text='User who created it.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'status'], name='tenants_engagement_status')],
                'constraints': [models.CheckConstraint(condition=models.Q(('end_date', None), ('start_date', None), ('end_date__gte', models.F('start_date')), _connector='OR'), name='tenants_engagement_dates_in_order', violation_error_message='The end date must not be before the start date.'), models.CheckConstraint(condition=models.Q(('status__in', ['planning', 'active', 'on_hold', 'completed', 'cancelled'])), name='tenants_engagement_status_known'), models.CheckConstraint(condition=models.Q(('engagement_type__in', ['', 'assessment', 'migration', 'modernization'])), name='tenants_engagement_type_known'), models.CheckConstraint(condition=models.Q(('estimated_complexity__in', ['', 'low', 'medium', 'high', 'very_high'])), name='tenants_engagement_complexity_known'), config.db.constraints.RowLevelSecurity(name='tenants_engagement_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='tenants_engagement_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='created_by', name='tenants_engagement_created_by_same', on_delete='SET NULL', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='tenants.engagement', name='tenants_engagement_audit')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
    ])
