from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0006_documented_defaults'),
        ('tenants', '0013_documented_rules'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['tenant', '-uploaded_at'], name='knowledge_document_uploaded'),
        ),
    ]
