from django.db import migrations

from tenants import limit_triggers as triggers


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0013_documented_rules'),
    ]

    operations = [
        migrations.RunSQL(triggers.REQUIRE_CAPACITY, triggers.REQUIRE_CAPACITY_DROP),
        migrations.RunSQL(*triggers.limit_sql('tenants_engagement', 'engagements')),
    ]
