"""Language codes are validated; the table does not change."""

from django.db import migrations, models

import accounts.schemas


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0013_limits'),
    ]

    operations = [
        migrations.AlterField(
            model_name='usersettings',
            name='language',
            field=models.CharField(blank=True, default='', help_text='Language code, such as en or de.', max_length=20, validators=[accounts.schemas.validate_language]),
        ),
    ]
