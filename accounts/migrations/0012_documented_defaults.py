"""Column defaults of the documents: short locks, and no row changes."""

import accounts.fields
import accounts.models.profiles
import accounts.schemas
import django.core.validators
from django.db import migrations, models

from config.db.operations import group_operations


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_platform_keys'),
    ]

    operations = group_operations([
        migrations.AlterField(
            model_name='apikey',
            name='rate_limit',
            field=models.PositiveIntegerField(db_default=100, default=100, help_text='Maximum number of requests per minute.', validators=[django.core.validators.MinValueValidator(1)]),
        ),
        migrations.AlterField(
            model_name='apikey',
            name='scopes',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Scopes of the key, such as ["agents:read"]. ["*"] grants every permission of its user.'),
        ),
        migrations.AlterField(
            model_name='membership',
            name='role',
            field=models.CharField(choices=[('admin', 'Admin'), ('analyst', 'Analyst'), ('user', 'User'), ('viewer', 'Viewer'), ('guest', 'Guest')], db_default='user', default='user', help_text='Role of the member.', max_length=50),
        ),
        migrations.AlterField(
            model_name='registereddevice',
            name='is_trusted',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether it can skip the second factor.'),
        ),
        migrations.AlterField(
            model_name='roleassignment',
            name='is_active',
            field=models.BooleanField(db_default=True, default=True, help_text='Designates whether the assignment is in effect.'),
        ),
        migrations.AlterField(
            model_name='twofactorauth',
            name='is_enabled',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether sign-in requires a code.'),
        ),
        migrations.AlterField(
            model_name='user',
            name='is_active',
            field=models.BooleanField(db_default=True, default=True, help_text='Designates whether the user can sign in.'),
        ),
        migrations.AlterField(
            model_name='user',
            name='is_superuser',
            field=accounts.fields.PlatformRightField(db_default=False, default=False, help_text='Platform staff with all permissions.'),
        ),
        migrations.AlterField(
            model_name='user',
            name='is_verified',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether the e-mail address is verified.'),
        ),
        migrations.AlterField(
            model_name='user',
            name='status',
            field=models.CharField(choices=[('pending_approval', 'Pending Approval'), ('active', 'Active'), ('inactive', 'Inactive'), ('suspended', 'Suspended')], db_default='active', default='active', help_text='Status of the account.', max_length=20),
        ),
        migrations.AlterField(
            model_name='usersettings',
            name='notification_preferences',
            field=models.JSONField(blank=True, db_default={'assessment_ready': True, 'discovery_complete': True, 'email': True, 'in_app': True}, default=accounts.models.profiles.notification_defaults, help_text='Enabled channels and events: {"email": true, "in_app": true}.', validators=[accounts.schemas.SchemaValidator('NotificationPreferences')]),
        ),
        migrations.AlterField(
            model_name='usersettings',
            name='preferences',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Other settings of the user interface, such as the default agent.'),
        ),
        migrations.AlterField(
            model_name='usersettings',
            name='timezone',
            field=models.CharField(db_default='UTC', default='UTC', help_text='Zone name, such as Europe/Rome.', max_length=50, validators=[accounts.schemas.validate_timezone]),
        ),
    ])
