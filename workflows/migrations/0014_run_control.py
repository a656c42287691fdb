"""SQL functions that cancel, pause, close and redrive runs, and the one that ends them. No locks.

Backwards, the function that ends runs keeps its later body.
"""

from django.db import migrations

from workflows import control_functions


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0013_runs'),
    ]

    operations = [
        migrations.RunSQL(control_functions.CONTROL, control_functions.CONTROL_DROP),
    ]
