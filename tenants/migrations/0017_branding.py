"""The branding has a schema; the table does not change."""

from django.db import migrations, models

import tenants.schemas


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0016_plan_of'),
    ]

    operations = [
        migrations.AlterField(
            model_name='tenant',
            name='branding',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Name, colour and logo in the console: {"primary_color": "#0a7d55", "logo": "data:…"}.', validators=[tenants.schemas.SchemaValidator('Branding')]),
        ),
    ]
