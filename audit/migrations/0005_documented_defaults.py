"""Column defaults of the documents: short locks, and no row changes."""

from django.db import migrations, models

from config.db.operations import group_operations


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0004_security_alerts'),
    ]

    operations = group_operations([
        migrations.AlterField(
            model_name='auditlog',
            name='metadata',
            field=models.JSONField(db_default={}, default=dict, help_text='Additional details.'),
        ),
        migrations.AlterField(
            model_name='securityauditlog',
            name='details',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Additional details.'),
        ),
        migrations.AlterField(
            model_name='securityauditlog',
            name='requires_review',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether the event needs review.'),
        ),
        migrations.AlterField(
            model_name='securityauditlog',
            name='severity',
            field=models.CharField(choices=[('INFO', 'Info'), ('WARNING', 'Warning'), ('ERROR', 'Error'), ('CRITICAL', 'Critical')], db_default='INFO', default='INFO', help_text='Severity.', max_length=20),
        ),
        migrations.AlterField(
            model_name='securityauditlog',
            name='target_details',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Resource details.'),
        ),
    ])
