"""How materialised reports are refreshed and kept from being written."""

from django.db import migrations

from config.db import functions as sql


class Migration(migrations.Migration):
    dependencies = [("config", "0002_library_tables")]
    operations = [migrations.RunSQL(sql.REPORTS, sql.REPORTS_DROP)]
