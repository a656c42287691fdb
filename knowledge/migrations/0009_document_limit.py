from django.db import migrations

from tenants import limit_triggers as triggers


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0008_limits'),
        ('tenants', '0015_document_quota'),
    ]

    operations = [
        migrations.RunSQL(*triggers.limit_sql('knowledge_document', 'documents', name='knowledge_document_count_limit')),
    ]
