from django.db import migrations

from tenants import request_limits


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0019_request_limits'),
    ]

    operations = [
        migrations.RunSQL(request_limits.REQUEST_COUNT_POLICY, request_limits.REQUEST_COUNT_POLICY_DROP),
    ]
