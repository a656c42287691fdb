from django.db import migrations, models

from tenants import limit_triggers


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0015_document_quota'),
    ]

    operations = [
        migrations.AddField(
            model_name='subscriptionplan',
            name='grace_days',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='Days after the expiry in which a subscription still counts.'),
        ),
        migrations.RunSQL(limit_triggers.PLAN_OF, limit_triggers.PLAN_OF_DROP),
    ]
