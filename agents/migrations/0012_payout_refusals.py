"""The number of refused attempts of a payout."""

from django.db import migrations, models

from agents import ledger_triggers


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0011_constraint_messages'),
    ]

    operations = [
        migrations.AddField(
            model_name='payout',
            name='refusals',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Number of attempts that the payment provider refused.'),
        ),
        migrations.RunSQL(ledger_triggers.PAYOUT_MOVES, migrations.RunSQL.noop),
    ]
