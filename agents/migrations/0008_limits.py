from django.db import migrations

from tenants import limit_triggers as triggers


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0007_payloads'),
        ('tenants', '0014_limits'),
    ]

    operations = [
        migrations.RunSQL(*triggers.limit_sql('agents_agent', 'agents', growth='OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL')),
    ]
