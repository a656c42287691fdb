"""Promotion of a tenant's vectors: what was written meanwhile is brought over before the tables are locked."""

from django.db import migrations

from knowledge import functions as sql


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0006_ingest")]
    operations = [migrations.RunSQL(sql.SWAP_IN_PASSES, sql.SWAP_AT_ONCE)]
