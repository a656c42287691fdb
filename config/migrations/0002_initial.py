"""Grants on the tables of third-party apps, whose migrations follow those of accounts."""

from django.db import migrations

from config.db import library_grants


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("config", "0001_initial"),
        # The grants on all sequences include that of the admin log.
        ("admin", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("sessions", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]
    operations = [
        migrations.RunSQL(library_grants.GRANTS, library_grants.GRANTS_DROP),
        migrations.RunSQL(library_grants.JOBS, library_grants.JOBS_DROP),
    ]
