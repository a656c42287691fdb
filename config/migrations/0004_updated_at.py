"""Function of the triggers that keep `updated_at`."""

from django.db import migrations

from config.db import functions as sql


class Migration(migrations.Migration):
    dependencies = [("config", "0003_scope_proofs")]
    operations = [migrations.RunSQL(sql.UPDATED_AT, sql.UPDATED_AT_DROP)]
