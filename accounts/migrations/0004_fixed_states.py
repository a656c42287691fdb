from django.db import migrations

from accounts import triggers


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_updated_at'),
    ]

    operations = [
        migrations.RunSQL(triggers.FIXED_STATES, triggers.FIXED_STATES_DROP),
    ]
