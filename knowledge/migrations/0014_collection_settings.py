"""Validate the search settings of collections. Changes no table."""

import knowledge.schemas
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0013_judged_questions'),
    ]

    operations = [
        migrations.AlterField(
            model_name='collection',
            name='settings',
            field=models.JSONField(blank=True, default=dict, help_text='Search settings, such as `recall`.', validators=[knowledge.schemas.SchemaValidator('CollectionSettings')]),
        ),
    ]
