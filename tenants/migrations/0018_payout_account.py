import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0017_branding'),
    ]

    operations = [
        migrations.AddField(
            model_name='tenant',
            name='payout_account',
            field=models.CharField(blank=True, db_default='', default='', help_text='Connected Stripe account that receives payouts. Empty: they are paid by hand.', max_length=255, validators=[django.core.validators.RegexValidator('^acct_[a-zA-Z0-9]+\\Z', 'Enter the ID of a Stripe account (acct_…).')]),
        ),
    ]
