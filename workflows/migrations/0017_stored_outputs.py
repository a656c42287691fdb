"""Files of large outputs. Short locks.

Backwards, the functions keep their later bodies, which the previous migration replaces when it is reversed.
"""

from django.db import migrations, models

from workflows import run_functions


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0016_maps'),
    ]

    operations = [
        migrations.AddField(
            model_name='stepexecution',
            name='storage_path',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='File of an output above 256 kB, which `output_data` lacks.', max_length=500),
        ),
        migrations.RunSQL(
            run_functions.FINISH_ATTEMPT[0] + run_functions.PARK_STEP[0] + run_functions.RESULTS[0],
            migrations.RunSQL.noop,
        ),
    ]
