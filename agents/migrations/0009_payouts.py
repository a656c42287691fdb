"""The ledger of sellers and their payouts, and the commission as a system setting."""

import config.db.constraints
import config.db.ids
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models

from agents import ledger_triggers
from config.db.operations import AlterConstraints


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0008_limits'),
        ('tenants', '0018_payout_account'),
    ]

    operations = [
        migrations.RunSQL(ledger_triggers.COMMISSION_SQL, ledger_triggers.COMMISSION_DROP),
        migrations.CreateModel(
            name='Payout',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('period_start', models.DateField(help_text='First day of the month.')),
                ('period_end', models.DateField(help_text='Last day of the month, in UTC.')),
                ('sale_count', models.PositiveIntegerField(help_text='Number of sales.')),
                ('refund_count', models.PositiveIntegerField(help_text='Number of refunds.')),
                ('sold', models.DecimalField(decimal_places=2, help_text='Prices of sales less refunds.', max_digits=14)),
                ('platform_fee', models.DecimalField(decimal_places=2, help_text="The platform's share of that.", max_digits=14)),
                ('amount', models.DecimalField(decimal_places=2, help_text="The seller's share of that.", max_digits=14)),
                ('currency', models.CharField(default='USD', help_text='Currency as an ISO 4217 code.', max_length=3)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('paid', 'Paid'), ('failed', 'Refused by the payment provider')], db_default='pending', default='pending', help_text='Payout status.', max_length=20)),
                ('method', models.CharField(choices=[('manual', 'By hand'), ('stripe', 'Stripe Connect')], help_text='How it is paid.', max_length=20)),
                ('destination', models.CharField(blank=True, default='', help_text='Account of the seller at the payment provider.', max_length=255)),
                ('transaction_id', models.CharField(blank=True, default='', help_text='ID at the payment provider, or a reference.', max_length=255)),
                ('error', models.CharField(blank=True, default='', help_text='Why the latest attempt failed.', max_length=500)),
                ('paid_at', models.DateTimeField(blank=True, help_text='When it was paid.', null=True)),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [
                    models.Index(fields=['tenant', 'status'], name='agents_payout_status'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('tenant', 'period_start', 'currency'), name='agents_payout_month_once', violation_error_message='This month already has a payout.'),
                    models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'paid', 'failed'])), name='agents_payout_status_known'),
                    models.CheckConstraint(condition=models.Q(('method__in', ['manual', 'stripe'])), name='agents_payout_method_known'),
                    models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='agents_payout_amount'),
                    models.CheckConstraint(condition=models.Q(('amount', django.db.models.expressions.CombinedExpression(models.F('sold'), '-', models.F('platform_fee')))), name='agents_payout_share'),
                    models.CheckConstraint(condition=models.Q(('period_end__gte', models.F('period_start'))), name='agents_payout_period'),
                    models.CheckConstraint(condition=models.Q(models.Q(('paid_at__isnull', False), ('status', 'paid')), models.Q(models.Q(('status', 'paid'), _negated=True), ('paid_at', None)), _connector='OR'), name='agents_payout_paid_at'),
                    config.db.constraints.RowLevelSecurity(name='agents_payout_rls', verbs='SELECT'),
                    models.UniqueConstraint(fields=('tenant', 'id'), name='agents_payout_tenant_id'),
                    config.db.constraints.UpdatedAtTrigger(name='agents_payout_updated_at'),
                    config.db.constraints.AuditTrigger(label='agents.payout', name='agents_payout_audit'),
                ],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='LedgerEntry',
            fields=[
                ('id', models.UUIDField(db_default=config.db.ids.UUIDv7(), editable=False, help_text='UUIDv7.', primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Creation time.')),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), help_text='Time of the latest change.')),
                ('purchase_id', models.UUIDField(help_text='The purchase.')),
                ('template_id', models.UUIDField(help_text='The template.')),
                ('kind', models.CharField(choices=[('sale', 'Sale'), ('refund', 'Refund')], help_text='Kind of entry.', max_length=20)),
                ('price', models.DecimalField(decimal_places=2, help_text='Price paid or refunded.', max_digits=10)),
                ('platform_fee', models.DecimalField(decimal_places=2, help_text="The platform's share of the price.", max_digits=10)),
                ('amount', models.DecimalField(decimal_places=2, help_text="The seller's share of the price.", max_digits=10)),
                ('currency', models.CharField(db_default='USD', default='USD', help_text='Currency as an ISO 4217 code.', max_length=3)),
                ('occurred_at', models.DateTimeField(help_text='When the purchase was paid or refunded.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, help_text='Tenant that owns the row.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('payout', models.ForeignKey(blank=True, db_constraint=False, help_text='Payout that contains it. Null: not paid out.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='entries', to='agents.payout')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'base_manager_name': 'unscoped',
                'indexes': [
                    models.Index(fields=['tenant', 'payout'], name='agents_ledgerentry_payout'),
                    models.Index(fields=['tenant', '-occurred_at'], name='agents_ledgerentry_latest'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('tenant', 'purchase_id', 'kind'), name='agents_ledgerentry_purchase_once'),
                    models.CheckConstraint(condition=models.Q(('kind__in', ['sale', 'refund'])), name='agents_ledgerentry_kind_known'),
                    models.CheckConstraint(condition=models.Q(('amount', django.db.models.expressions.CombinedExpression(models.F('price'), '-', models.F('platform_fee')))), name='agents_ledgerentry_share'),
                    models.CheckConstraint(condition=models.Q(models.Q(('amount__gte', 0), ('kind', 'sale')), models.Q(('amount__lte', 0), ('kind', 'refund')), _connector='OR'), name='agents_ledgerentry_sign'),
                    config.db.constraints.RowLevelSecurity(name='agents_ledgerentry_rls', verbs='SELECT'),
                    models.UniqueConstraint(fields=('tenant', 'id'), name='agents_ledgerentry_tenant_id'),
                    config.db.constraints.SameTenant(field='payout', name='agents_ledgerentry_payout_same', on_delete='SET NULL'),
                    config.db.constraints.UpdatedAtTrigger(name='agents_ledgerentry_updated_at'),
                    config.db.constraints.AuditTrigger(label='agents.ledgerentry', level='statement', name='agents_ledgerentry_audit'),
                ],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        AlterConstraints(
            remove=[('templatepurchase', 'agents_templatepurchase_rls')],
            add=[
                ('templatepurchase', config.db.constraints.RowLevelSecurity(name='agents_templatepurchase_rls', read='(tenant_id = (SELECT conclave_current_tenant()) OR seller_tenant_id = (SELECT conclave_current_tenant()))', verbs='SELECT, INSERT', write="(tenant_id = (SELECT conclave_current_tenant()) AND buyer_id = (SELECT conclave_current_user()) AND payment_status = 'pending' AND commission_rate = (SELECT agents_commission()) AND EXISTS (SELECT FROM agents_agenttemplate t WHERE t.id = template_id AND t.is_marketplace AND t.price = agents_templatepurchase.price AND t.tenant_id = seller_tenant_id AND t.user_id IS NOT DISTINCT FROM seller_id))")),
            ],
        ),
        # Before the triggers that keep entries unchanged and audit them.
        migrations.RunSQL(ledger_triggers.LEDGER_FILL, migrations.RunSQL.noop),
        migrations.RunSQL(ledger_triggers.LEDGER, ledger_triggers.LEDGER_DROP),
    ]
