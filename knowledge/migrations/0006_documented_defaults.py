"""Column defaults of the documents: short locks, and no row changes."""

import django.core.validators
from django.db import migrations, models

from config.db.operations import group_operations


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0005_metering'),
    ]

    operations = group_operations([
        migrations.AlterField(
            model_name='learningpattern',
            name='confidence',
            field=models.DecimalField(db_default=0, decimal_places=4, default=0, help_text='Confidence, from 0 to 1.', max_digits=5, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)]),
        ),
        migrations.AlterField(
            model_name='learningpattern',
            name='occurrences',
            field=models.PositiveIntegerField(db_default=1, default=1, help_text='Number of occurrences.'),
        ),
        migrations.AlterField(
            model_name='term',
            name='frequency',
            field=models.PositiveIntegerField(db_default=1, default=1, help_text='Number of uses.', validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='term',
            name='is_public',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether colleagues can see it.'),
        ),
        migrations.AlterField(
            model_name='term',
            name='tags',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Tags for filtering.'),
        ),
        migrations.AlterField(
            model_name='term',
            name='usage_examples',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Example sentences.'),
        ),
    ])
