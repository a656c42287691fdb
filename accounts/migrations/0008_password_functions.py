"""Functions that check and set passwords, whose hashes no role of the application can read any more.

The stored hash was part of `get_session_auth_hash`. The time of the latest change replaces it.
"""

import config.db.constraints
from django.db import migrations, models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import functions
from config.sessions import SessionStore

# The time is null exactly if there is no usable password.
TIMES = """
UPDATE accounts_user SET password_changed_at = CASE WHEN starts_with(password, '!') THEN NULL ELSE created_at END
WHERE starts_with(password, '!') = (password_changed_at IS NOT NULL)"""
KEY_SALT = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
SESSION_HASH = "_auth_user_hash"


def keep_sessions(apps, schema_editor):
    """Replace the digest of the hash in each session that is valid."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id::text, password, password_changed_at FROM accounts_user")
        users = {
            user: (_digest(password), _digest(f"!withheld{changed_at.timestamp() if changed_at else ''}"))
            for user, password, changed_at in cursor.fetchall()
        }
    store = SessionStore()
    for session in apps.get_model("sessions", "Session").objects.filter(expire_date__gt=timezone.now()).iterator():
        data = store.decode(session.session_data)
        before, after = users.get(data.get("_auth_user_id"), ("", ""))
        if before and data.get(SESSION_HASH) == before:
            session.session_data = store.encode(data | {SESSION_HASH: after})
            session.save()


def _digest(value):
    return salted_hmac(KEY_SALT, value, algorithm="sha256").hexdigest()


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_platform_rights'),
        ('config', '0005_hashed_sessions'),
        ('sessions', '0001_initial'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='user',
            name='accounts_user_rls',
        ),
        migrations.AlterField(
            model_name='user',
            name='password_changed_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='Time at which the password was last set. Null without a password.', null=True),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=config.db.constraints.RowLevelSecurity(hidden=('password', 'is_staff', 'is_superuser'), identity='SELECT, INSERT, UPDATE', identity_columns=('last_login', 'email', 'username', 'first_name', 'last_name', 'avatar_url', 'status', 'is_active', 'is_verified', 'deleted_at', 'updated_at'), identity_insert='NOT (is_staff OR is_superuser)', name='accounts_user_rls', operator_columns=('last_login', 'email', 'username', 'first_name', 'last_name', 'avatar_url', 'status', 'is_active', 'is_verified', 'deleted_at', 'updated_at', 'is_staff', 'is_superuser'), read='id IN (SELECT user_id FROM accounts_membership)', secret=('password',), verbs='SELECT', withheld=('password', 'is_staff', 'is_superuser')),
        ),
        migrations.RunSQL(functions.PASSWORDS, functions.PASSWORDS_DROP),
        migrations.RunSQL(TIMES, migrations.RunSQL.noop),
        migrations.RunPython(keep_sessions, migrations.RunPython.noop),
    ]
