from django.db import migrations

from tenants import limit_triggers as triggers


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0007_documented_rules'),
        ('tenants', '0014_limits'),
    ]

    operations = [
        migrations.RunSQL(*triggers.limit_sql('knowledge_document', 'storage_gb', growth='NEW.file_size > OLD.file_size')),
    ]
