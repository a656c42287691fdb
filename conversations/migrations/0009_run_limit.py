from django.db import migrations

from conversations import run_limits


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0008_limits'),
        ('tenants', '0019_request_limits'),
    ]

    operations = [
        migrations.RunSQL(run_limits.RUN_LIMIT, run_limits.RUN_LIMIT_DROP),
    ]
