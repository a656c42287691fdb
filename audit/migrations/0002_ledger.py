"""The audit tables go to their own role, append-only even for it; sealing and verifying."""

from django.db import migrations

from audit import triggers


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        migrations.RunSQL(triggers.SEAL_FUNCTIONS, triggers.DROP_SEAL_FUNCTIONS),
        migrations.RunSQL(triggers.OWNERSHIP, triggers.OWNERSHIP_REVERT),
    ]
