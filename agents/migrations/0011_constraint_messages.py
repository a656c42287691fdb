import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0010_adapter_checks'),
    ]

    operations = [
        migrations.AlterConstraint(
            model_name='ledgerentry',
            name='agents_ledgerentry_share',
            constraint=models.CheckConstraint(condition=models.Q(('amount', django.db.models.expressions.CombinedExpression(models.F('price'), '-', models.F('platform_fee')))), name='agents_ledgerentry_share', violation_error_message="The amount must be the price less the platform's share."),
        ),
        migrations.AlterConstraint(
            model_name='ledgerentry',
            name='agents_ledgerentry_sign',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__gte', 0), ('kind', 'sale')), models.Q(('amount__lte', 0), ('kind', 'refund')), _connector='OR'), name='agents_ledgerentry_sign', violation_error_message='A sale is not negative, and a refund is not positive.'),
        ),
        migrations.AlterConstraint(
            model_name='payout',
            name='agents_payout_share',
            constraint=models.CheckConstraint(condition=models.Q(('amount', django.db.models.expressions.CombinedExpression(models.F('sold'), '-', models.F('platform_fee')))), name='agents_payout_share', violation_error_message="The amount must be the sales less the platform's share."),
        ),
        migrations.AlterConstraint(
            model_name='payout',
            name='agents_payout_period',
            constraint=models.CheckConstraint(condition=models.Q(('period_end__gte', models.F('period_start'))), name='agents_payout_period', violation_error_message='The period must not end before it starts.'),
        ),
        migrations.AlterConstraint(
            model_name='payout',
            name='agents_payout_paid_at',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('paid_at__isnull', False), ('status', 'paid')), models.Q(models.Q(('status', 'paid'), _negated=True), ('paid_at', None)), _connector='OR'), name='agents_payout_paid_at', violation_error_message='A payout has a payment time if and only if it is paid.'),
        ),
    ]
