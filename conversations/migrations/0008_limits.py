from django.db import migrations

from tenants import limit_triggers as triggers


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0007_erase_payloads'),
        ('tenants', '0014_limits'),
    ]

    operations = [
        migrations.RunSQL(*triggers.limit_sql('conversations_attachment', 'storage_gb', growth='NEW.file_size > OLD.file_size')),
    ]
