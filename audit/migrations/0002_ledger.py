"""The audit tables go to their own role, append-only even for it; sealing and verifying."""

from django.db import migrations

from audit import ledger


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        migrations.RunSQL(ledger.SEALING, ledger.SEALING_DROP),
        migrations.RunSQL(ledger.OWNERSHIP, ledger.OWNERSHIP_REVERT),
    ]
