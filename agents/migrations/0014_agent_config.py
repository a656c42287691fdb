"""Validate the search options in the configuration of agents. Changes no table."""

import agents.schemas
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0013_http_accounts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='agent',
            name='config',
            field=models.JSONField(blank=True, default=dict, help_text='Additional model settings.', validators=[agents.schemas.SchemaValidator('AgentConfig')]),
        ),
    ]
