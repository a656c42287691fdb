"""A further purpose of model calls: questions for evaluations."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0014_agent_config'),
    ]

    operations = [
        migrations.AlterField(
            model_name='llmusage',
            name='feature_context',
            field=models.CharField(blank=True, choices=[('conversation', 'Conversation'), ('meeting', 'Meeting'), ('completion', 'Request to /v1'), ('embeddings', 'Embeddings'), ('summary', 'Summary of a session'), ('evaluation', 'Judged questions')], db_default='', help_text='What the model was called for.', max_length=50),
        ),
    ]
