from django.db import migrations

from tenants import limit_triggers as triggers


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0012_documented_defaults'),
        ('tenants', '0014_limits'),
    ]

    operations = [
        migrations.RunSQL(*triggers.limit_sql('accounts_membership', 'users', growth="OLD.status = 'inactive' AND NEW.status <> 'inactive'")),
    ]
