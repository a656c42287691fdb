import accounts.fields
import accounts.models.profiles
import accounts.schemas
import config.db.constraints
import config.db.ids
import config.encryption.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models

from config.db.operations import group_operations


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenants', '0001_initial'),
    ]

    operations = group_operations([
        migrations.CreateModel(
            name='Role',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('name', models.CharField(help_text='Name of the role.', max_length=100)),
                ('slug', models.SlugField(help_text='Unique name of the role in the API.', max_length=100)),
                ('description', models.TextField(blank=True, default='', help_text='What the role is for.')),
                ('permissions', models.JSONField(blank=True, default=list, help_text='Permissions, such as ["agents:read", "agents:execute"].')),
                ('is_system', models.BooleanField(default=False, editable=False, help_text='Predefined role.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'slug'), name='accounts_role_slug', violation_error_message='A role with this slug already exists.'), config.db.constraints.RowLevelSecurity(name='accounts_role_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_role_tenant_id'), config.db.constraints.AuditTrigger(label='accounts.role', name='accounts_role_audit')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('password', accounts.fields.PasswordHashField(max_length=128, verbose_name='password')),
                ('email', models.EmailField(help_text='Sign-in e-mail address, in lower case.', max_length=255, unique=True)),
                ('username', models.CharField(blank=True, default='', help_text='Fallback display name.', max_length=150)),
                ('first_name', models.CharField(blank=True, default='', help_text='First name.', max_length=100)),
                ('last_name', models.CharField(blank=True, default='', help_text='Last name.', max_length=100)),
                ('avatar_url', models.URLField(blank=True, default='', help_text='Profile picture.', max_length=500)),
                ('status', models.CharField(choices=[('pending_approval', 'Pending Approval'), ('active', 'Active'), ('inactive', 'Inactive'), ('suspended', 'Suspended')], default='active', help_text='Status of the account.', max_length=20)),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether the user can sign in.')),
                ('is_staff', models.BooleanField(default=False, help_text='Staff with access to the platform scope.')),
                ('is_superuser', models.BooleanField(default=False, help_text='Platform staff with all permissions.')),
                ('is_verified', models.BooleanField(default=False, help_text='Whether the e-mail address is verified.')),
                ('deleted_at', models.DateTimeField(blank=True, editable=False, help_text='Deletion time.', null=True)),
                ('password_changed_at', models.DateTimeField(blank=True, editable=False, help_text='Time at which the password was last set.', null=True)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'indexes': [models.Index(fields=['status'], name='accounts_user_status')],
                'constraints': [models.CheckConstraint(condition=models.Q(('email', django.db.models.functions.text.Lower('email'))), name='accounts_user_email_lower'), models.CheckConstraint(condition=models.Q(('email__regex', '^[^@\\s]+@[^@\\s]+$')), name='accounts_user_email_form'), models.CheckConstraint(condition=models.Q(('status__in', ['pending_approval', 'active', 'inactive', 'suspended'])), name='accounts_user_status_known'), config.db.constraints.RowLevelSecurity(hidden=('password',), identity='SELECT, INSERT, UPDATE, DELETE', name='accounts_user_rls', read='id IN (SELECT user_id FROM accounts_membership)', verbs='SELECT', withheld=('password',)), config.db.constraints.AuditTrigger(label='accounts.user', name='accounts_user_audit', omit=('last_login',), redact=('password',))],
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(help_text='Member.', on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('role', models.CharField(choices=[('admin', 'Admin'), ('analyst', 'Analyst'), ('user', 'User'), ('viewer', 'Viewer')], default='user', help_text='Role of the member.', max_length=50)),
                ('status', models.CharField(choices=[('invited', 'Invited'), ('active', 'Active'), ('inactive', 'Inactive'), ('suspended', 'Suspended')], default='active', help_text='Only active members have access.', max_length=20)),
                ('permissions', models.JSONField(blank=True, default=list, help_text='Additional permissions, such as ["agents:execute"].')),
                ('joined_at', models.DateTimeField(blank=True, help_text='When the member joined.', null=True)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'status'], name='accounts_membership_status')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user'), name='accounts_membership_once', violation_error_message='This user is already a member.'), models.CheckConstraint(condition=models.Q(('role__in', ['admin', 'analyst', 'user', 'viewer'])), name='accounts_membership_role_known'), models.CheckConstraint(condition=models.Q(('status__in', ['invited', 'active', 'inactive', 'suspended'])), name='accounts_membership_status_known'), config.db.constraints.RowLevelSecurity(name='accounts_membership_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_membership_tenant_id'), config.db.constraints.AuditTrigger(label='accounts.membership', name='accounts_membership_audit')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='User that the key acts as.', on_delete=django.db.models.deletion.CASCADE, related_name='api_keys', to=settings.AUTH_USER_MODEL)),
                ('name', models.CharField(help_text='Name that describes what the key is used for.', max_length=255)),
                ('key_hash', models.BinaryField(help_text='HMAC-SHA256 of the key.', unique=True)),
                ('key_prefix', models.CharField(editable=False, help_text='Start of the key, for display.', max_length=20)),
                ('scopes', models.JSONField(blank=True, default=list, help_text='Scopes of the key, such as ["agents:read"]. ["*"] grants every permission of its user.')),
                ('status', models.CharField(choices=[('active', 'Active'), ('revoked', 'Revoked'), ('expired', 'Expired')], default='active', help_text='Status of the key. A revoked key cannot be reactivated.', max_length=20)),
                ('rate_limit', models.PositiveIntegerField(default=600, help_text='Maximum number of requests per minute.', validators=[django.core.validators.MinValueValidator(1)])),
                ('expires_at', models.DateTimeField(blank=True, help_text='Expiry time, if any.', null=True)),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, help_text='Latest use.', null=True)),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='Additional data as a JSON object.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'status'], name='accounts_apikey_status')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['active', 'revoked', 'expired'])), name='accounts_apikey_status_known'), models.CheckConstraint(condition=models.Q(('rate_limit__gt', 0)), name='accounts_apikey_rate_positive'), config.db.constraints.RowLevelSecurity(hidden=('key_hash',), name='accounts_apikey_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_apikey_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_apikey_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.apikey', name='accounts_apikey_audit', omit=('last_used_at',), redact=('key_hash',))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='ExternalIdentity',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('provider', models.CharField(choices=[('auth0', 'Auth0'), ('google', 'Google'), ('github', 'Github'), ('microsoft', 'Microsoft'), ('oidc', 'Oidc'), ('saml', 'Saml')], help_text='Identity provider.', max_length=50)),
                ('subject', models.CharField(help_text='Subject ID of the user at the provider.', max_length=255)),
                ('email', models.EmailField(blank=True, default='', help_text='E-mail at the provider.', max_length=255)),
                ('linked_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='When it was linked.')),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, help_text='Latest sign-in.', null=True)),
            ],
            options={
                'verbose_name_plural': 'external identities',
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'user'], name='accounts_extidentity_user')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'provider', 'subject'), name='accounts_externalidentity_subject', violation_error_message='This identity is already linked.'), models.CheckConstraint(condition=models.Q(('provider__in', ['auth0', 'google', 'github', 'microsoft', 'oidc', 'saml'])), name='accounts_externalidentity_provider_known'), config.db.constraints.RowLevelSecurity(name='accounts_externalidentity_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_externalidentity_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_externalidentity_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.externalidentity', name='accounts_externalidentity_audit', omit=('last_used_at',), redact=('provider', 'subject', 'email'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='OAuthToken',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('service', models.CharField(choices=[('calendar', 'Calendar'), ('drive', 'Drive'), ('gmail', 'Gmail'), ('contacts', 'Contacts'), ('tasks', 'Tasks'), ('docs', 'Docs'), ('sheets', 'Sheets')], help_text='Connected service.', max_length=50)),
                ('access_token', config.encryption.fields.EncryptedTextField(help_text='Access token.')),
                ('refresh_token', config.encryption.fields.EncryptedTextField(blank=True, help_text='Refresh token.', null=True)),
                ('token_expiry', models.DateTimeField(blank=True, help_text='Expiry time of the access token.', null=True)),
                ('scope', models.TextField(blank=True, default='', help_text='Granted OAuth scopes, separated by spaces.')),
                ('service_user_id', models.CharField(blank=True, default='', help_text='User ID there.', max_length=255)),
                ('service_email', models.EmailField(blank=True, default='', help_text='E-mail there.', max_length=255)),
            ],
            options={
                'verbose_name': 'OAuth token',
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'token_expiry'], name='accounts_oauthtoken_expiry')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user', 'service'), name='accounts_oauthtoken_once', violation_error_message='This service is already connected.'), models.CheckConstraint(condition=models.Q(('service__in', ['calendar', 'drive', 'gmail', 'contacts', 'tasks', 'docs', 'sheets'])), name='accounts_oauthtoken_service_known'), config.db.constraints.RowLevelSecurity(hidden=('access_token', 'refresh_token'), name='accounts_oauthtoken_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_oauthtoken_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_oauthtoken_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.oauthtoken', name='accounts_oauthtoken_audit', omit=('token_expiry',), redact=('access_token', 'refresh_token', 'service', 'scope', 'service_user_id', 'service_email'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='PasskeyCredential',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('credential_id', models.CharField(editable=False, help_text='WebAuthn credential ID, base64url-encoded.', max_length=1400, unique=True)),
                ('public_key', models.TextField(editable=False, help_text='COSE public key, base64url-encoded.')),
                ('credential_name', models.CharField(blank=True, default='', help_text='Passkey name.', max_length=255)),
                ('sign_count', models.PositiveBigIntegerField(default=0, editable=False, help_text='Signature counter.')),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, help_text='Latest sign-in.', null=True)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'user'], name='accounts_passkey_user')],
                'constraints': [config.db.constraints.RowLevelSecurity(name='accounts_passkeycredential_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_passkeycredential_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_passkeycredential_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.passkeycredential', name='accounts_passkeycredential_audit', omit=('last_used_at', 'sign_count'), redact=('credential_id', 'public_key', 'credential_name'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='RegisteredDevice',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('device_name', models.CharField(help_text='Name of the device.', max_length=255)),
                ('device_type', models.CharField(choices=[('desktop', 'Desktop'), ('mobile', 'Mobile'), ('tablet', 'Tablet'), ('other', 'Other')], default='other', help_text='Type of device.', max_length=20)),
                ('user_agent', models.CharField(blank=True, default='', help_text='User-Agent header.', max_length=1000)),
                ('ip_address', models.GenericIPAddressField(blank=True, help_text='Latest IP address.', null=True)),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, help_text='Latest use.', null=True)),
                ('is_trusted', models.BooleanField(default=False, help_text='Whether it can skip the second factor.')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'user', '-last_used_at'], name='accounts_device_user')],
                'constraints': [models.CheckConstraint(condition=models.Q(('device_type__in', ['desktop', 'mobile', 'tablet', 'other'])), name='accounts_device_type_known'), config.db.constraints.RowLevelSecurity(name='accounts_registereddevice_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_registereddevice_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_registereddevice_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.registereddevice', name='accounts_registereddevice_audit', omit=('last_used_at',), redact=('device_name', 'device_type', 'user_agent', 'ip_address'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='Talent',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='User with these skills.', on_delete=django.db.models.deletion.CASCADE, related_name='talents', to=settings.AUTH_USER_MODEL)),
                ('skills', models.JSONField(blank=True, default=list, help_text='Skills, such as ["python", "sql"].')),
                ('experience_years', models.PositiveSmallIntegerField(blank=True, help_text='Years of experience.', null=True, validators=[django.core.validators.MaxValueValidator(80)])),
                ('availability', models.CharField(choices=[('available', 'Available'), ('partial', 'Partial'), ('unavailable', 'Unavailable')], default='available', help_text='Current availability.', max_length=50)),
                ('rate', models.DecimalField(blank=True, decimal_places=2, help_text='Hourly rate.', max_digits=10, null=True, validators=[django.core.validators.MinValueValidator(0)])),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [models.Index(fields=['tenant', 'user'], name='accounts_talent_user'), models.Index(fields=['tenant', 'availability'], name='accounts_talent_availability'), django.contrib.postgres.indexes.GinIndex(fields=['skills'], name='accounts_talent_skills')],
                'constraints': [models.CheckConstraint(condition=models.Q(('availability__in', ['available', 'partial', 'unavailable'])), name='accounts_talent_availability_known'), models.CheckConstraint(condition=models.Q(('experience_years', None), ('experience_years__lte', 80), _connector='OR'), name='accounts_talent_experience', violation_error_message='Enter at most 80 years of experience.'), models.CheckConstraint(condition=models.Q(('rate', None), ('rate__gte', 0), _connector='OR'), name='accounts_talent_rate', violation_error_message='The rate cannot be negative.'), config.db.constraints.RowLevelSecurity(name='accounts_talent_rls'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_talent_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_talent_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.talent', name='accounts_talent_audit')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='TwoFactorAuth',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('is_enabled', models.BooleanField(default=False, help_text='Whether sign-in requires a code.')),
                ('secret_key', config.encryption.fields.EncryptedTextField(blank=True, help_text='TOTP secret, base32-encoded.', null=True)),
                ('backup_codes', config.encryption.fields.EncryptedJSONField(blank=True, help_text='One-time backup codes.', null=True)),
                ('security_questions', config.encryption.fields.EncryptedJSONField(blank=True, help_text='Security questions: [{"question": "", "answer": ""}]. Never shown.', null=True)),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, help_text='Latest code use.', null=True)),
            ],
            options={
                'verbose_name': 'two-factor authentication',
                'verbose_name_plural': 'two-factor authentication',
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user'), name='accounts_twofactorauth_once', violation_error_message='You have already set up two-factor authentication.'), models.CheckConstraint(condition=models.Q(('is_enabled', False), ('secret_key__isnull', False), _connector='OR'), name='accounts_twofactorauth_secret', violation_error_message='A secret is required to enable two-factor authentication.'), config.db.constraints.RowLevelSecurity(hidden=('secret_key', 'backup_codes', 'security_questions'), name='accounts_twofactorauth_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_twofactorauth_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_twofactorauth_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.twofactorauth', name='accounts_twofactorauth_audit', omit=('last_used_at',), redact=('secret_key', 'backup_codes', 'security_questions'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='UserModelChoice',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('purpose', models.CharField(choices=[('selected', 'Selected'), ('chat', 'Chat'), ('initial_assessment', 'Initial Assessment'), ('tool_selection', 'Tool Selection'), ('embeddings', 'Embeddings'), ('coding', 'Coding'), ('executive_assessment', 'Executive Assessment'), ('confidence_assessment', 'Confidence Assessment'), ('tool_routing', 'Tool Routing'), ('simple_planning', 'Simple Planning'), ('wave_function_specialist', 'Wave Function Specialist'), ('wave_function_refinement', 'Wave Function Refinement'), ('plan_validation', 'Plan Validation'), ('plan_comparison', 'Plan Comparison'), ('reflection', 'Reflection'), ('final_response', 'Final Response'), ('fast_conversational', 'Fast Conversational')], help_text='Purpose of the model.', max_length=50)),
                ('model', models.CharField(help_text='Model name, such as llama3.2:3b.', max_length=255, validators=[django.core.validators.MinLengthValidator(1)])),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user', 'purpose'), name='accounts_usermodelchoice_once', violation_error_message='You have already chosen a model for this purpose.'), models.CheckConstraint(condition=models.Q(('purpose__in', ['selected', 'chat', 'initial_assessment', 'tool_selection', 'embeddings', 'coding', 'executive_assessment', 'confidence_assessment', 'tool_routing', 'simple_planning', 'wave_function_specialist', 'wave_function_refinement', 'plan_validation', 'plan_comparison', 'reflection', 'final_response', 'fast_conversational'])), name='accounts_usermodelchoice_purpose_known'), models.CheckConstraint(condition=models.Q(('model', ''), _negated=True), name='accounts_usermodelchoice_model_named', violation_error_message='The model name is required.'), config.db.constraints.RowLevelSecurity(name='accounts_usermodelchoice_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_usermodelchoice_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_usermodelchoice_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.usermodelchoice', name='accounts_usermodelchoice_audit', redact=('purpose', 'model'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='UserProfile',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('display_name', models.CharField(blank=True, default='', help_text='Name shown to others.', max_length=150)),
                ('date_of_birth', models.DateField(blank=True, help_text='Date of birth.', null=True)),
                ('phone_number', models.CharField(blank=True, default='', help_text='Phone number.', max_length=50)),
                ('alternate_phone', models.CharField(blank=True, default='', help_text='Other phone number.', max_length=50)),
                ('personal_address', models.JSONField(blank=True, default=dict, help_text='Home address: {"street": "", "city": "", "postal_code": "", "country": ""}.', validators=[accounts.schemas.SchemaValidator('Address')])),
                ('job_title', models.CharField(blank=True, default='', help_text='Job title.', max_length=100)),
                ('company', models.CharField(blank=True, default='', help_text='Company name.', max_length=255)),
                ('department', models.CharField(blank=True, default='', help_text='Department.', max_length=100)),
                ('work_phone', models.CharField(blank=True, default='', help_text='Work phone number.', max_length=50)),
                ('work_email', models.EmailField(blank=True, default='', help_text='Work e-mail address.', max_length=255)),
                ('work_address', models.JSONField(blank=True, default=dict, help_text='Work address, in the same format as the personal address.', validators=[accounts.schemas.SchemaValidator('Address')])),
                ('preferred_contact_method', models.CharField(blank=True, choices=[('email', 'Email'), ('phone', 'Phone'), ('sms', 'Sms'), ('chat', 'Chat')], default='', help_text='Preferred contact method.', max_length=20)),
                ('emergency_contact', models.JSONField(blank=True, default=dict, help_text='Emergency contact: {"name": "", "relationship": "", "phone": "", "email": ""}.', validators=[accounts.schemas.SchemaValidator('EmergencyContact')])),
                ('bio', models.TextField(blank=True, default='', help_text='Short biography.')),
                ('website', models.URLField(blank=True, default='', help_text='Personal website.', max_length=500)),
                ('linkedin', models.CharField(blank=True, default='', help_text='LinkedIn profile.', max_length=255)),
                ('twitter', models.CharField(blank=True, default='', help_text='Twitter username.', max_length=255)),
                ('github', models.CharField(blank=True, default='', help_text='GitHub username.', max_length=255)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user'), name='accounts_userprofile_once', violation_error_message='This entry already exists for the user.'), models.CheckConstraint(condition=models.Q(('preferred_contact_method__in', ['email', 'phone', 'sms', 'chat', ''])), name='accounts_userprofile_contact_known'), config.db.constraints.RowLevelSecurity(name='accounts_userprofile_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_userprofile_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_userprofile_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.userprofile', name='accounts_userprofile_audit', redact=('date_of_birth', 'phone_number', 'alternate_phone', 'personal_address', 'emergency_contact', 'display_name', 'job_title', 'company', 'department', 'work_phone', 'work_email', 'work_address', 'preferred_contact_method', 'bio', 'website', 'linkedin', 'twitter', 'github'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='UserSettings',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('theme', models.CharField(choices=[('dark', 'Dark'), ('light', 'Light'), ('system', 'System')], default='dark', help_text='Colour theme.', max_length=20)),
                ('language', models.CharField(blank=True, default='', help_text='Language code, such as en or de.', max_length=20)),
                ('timezone', models.CharField(default='UTC', help_text='Zone name, such as Europe/Rome.', max_length=50, validators=[accounts.schemas.validate_timezone])),
                ('notifications_enabled', models.BooleanField(default=True, help_text='Whether notifications are sent.')),
                ('notification_preferences', models.JSONField(blank=True, default=accounts.models.profiles.notification_defaults, help_text='Enabled channels and events: {"email": true, "in_app": true}.', validators=[accounts.schemas.SchemaValidator('NotificationPreferences')])),
                ('preferences', models.JSONField(blank=True, default=dict, help_text='Other settings of the user interface, such as the default agent.')),
            ],
            options={
                'verbose_name_plural': 'user settings',
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user'), name='accounts_usersettings_once', violation_error_message='This entry already exists for the user.'), models.CheckConstraint(condition=models.Q(('theme__in', ['dark', 'light', 'system'])), name='accounts_usersettings_theme_known'), config.db.constraints.RowLevelSecurity(name='accounts_usersettings_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_usersettings_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_usersettings_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.usersettings', name='accounts_usersettings_audit', redact=('theme', 'language', 'timezone', 'notification_preferences', 'preferences'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='WorkProfile',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_constraint=False, help_text='Owner of the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('calendar_event_weights', models.JSONField(blank=True, default=dict, help_text='Weight of each event category, from 0 to 100: {"meeting": 1.5}.', validators=[accounts.schemas.SchemaValidator('EventWeights')])),
                ('agent_settings', models.JSONField(blank=True, default=dict, help_text='Settings of each agent: {"writer": {"enabled": true, "temperature": 0.2}}.', validators=[accounts.schemas.SchemaValidator('AgentSettings')])),
                ('personal_goals', models.JSONField(blank=True, default=list, help_text='Personal goals: [{"title": "Learn SQL", "priority": "high", "progress": 0.4}].', validators=[accounts.schemas.SchemaValidator('PersonalGoals')])),
                ('work_style_preferences', models.JSONField(blank=True, default=dict, help_text='Work style: {"work_start": "09:00", "work_days": ["monday"], "focus_minutes": 90}.', validators=[accounts.schemas.SchemaValidator('WorkStyle')])),
                ('productivity_patterns', models.JSONField(blank=True, default=dict, help_text='Observed productivity patterns: {"peak_hours": [9, 10], "best_days": ["tuesday"]}.', validators=[accounts.schemas.SchemaValidator('ProductivityPatterns')])),
                ('interview_insights', models.JSONField(blank=True, default=dict, help_text='Interview results: {"summary": "", "insights": [{"topic": "", "finding": ""}]}.', validators=[accounts.schemas.SchemaValidator('InterviewInsights')])),
                ('project_preferences', models.JSONField(blank=True, default=dict, help_text='Project preferences: {"methodology": "kanban", "default_priority": "medium"}.', validators=[accounts.schemas.SchemaValidator('ProjectPreferences')])),
                ('default_code_style', models.JSONField(blank=True, default=dict, help_text='Code style: {"language": "python", "indent": "spaces", "line_length": 100}.', validators=[accounts.schemas.SchemaValidator('CodeStyle')])),
                ('git_integrations', models.JSONField(blank=True, default=list, help_text='Repository host accounts, without tokens: [{"provider": "github", "username": "ada"}].', validators=[accounts.schemas.SchemaValidator('GitIntegrations')])),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user'), name='accounts_workprofile_once', violation_error_message='This entry already exists for the user.'), config.db.constraints.RowLevelSecurity(name='accounts_workprofile_rls', read='tenant_id = (SELECT conclave_current_tenant()) AND user_id = (SELECT conclave_current_user())'), models.UniqueConstraint(fields=('tenant', 'id'), name='accounts_workprofile_tenant_id'), config.db.constraints.SameTenant(column='user_id', field='user', name='accounts_workprofile_user_same', on_delete='CASCADE', target='accounts.Membership'), config.db.constraints.AuditTrigger(label='accounts.workprofile', name='accounts_workprofile_audit', redact=('personal_goals', 'productivity_patterns', 'interview_insights', 'calendar_event_weights', 'agent_settings', 'work_style_preferences', 'project_preferences', 'default_code_style', 'git_integrations'))],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
    ])
