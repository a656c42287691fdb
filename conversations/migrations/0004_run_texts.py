from django.db import migrations

from conversations import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0003_runs'),
        ('conversations', '0003_updated_at'),
    ]

    operations = [
        migrations.RunSQL(triggers.ERASURE, triggers.ERASURE_DROP),
    ]
