"""Feature of a model call, and an index for erasing payloads."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0006_documented_defaults'),
        ('tenants', '0009_metering'),
    ]

    operations = [
        migrations.AddField(
            model_name='llmusage',
            name='feature_context',
            field=models.CharField(blank=True, choices=[('conversation', 'Conversation'), ('meeting', 'Meeting'), ('completion', 'Request to /v1'), ('embeddings', 'Embeddings'), ('summary', 'Summary of a session')], db_default='', help_text='What the model was called for.', max_length=50),
        ),
        migrations.AlterField(
            model_name='llmusage',
            name='request_payload',
            field=models.JSONField(blank=True, help_text='Messages sent, as the organisation stores them.', null=True),
        ),
        migrations.AlterField(
            model_name='llmusage',
            name='response_payload',
            field=models.JSONField(blank=True, help_text='Message received, as the organisation stores it.', null=True),
        ),
        migrations.AddIndex(
            model_name='llmusage',
            index=models.Index(condition=models.Q(('request_payload__isnull', False)), fields=['tenant', 'conversation_id'], name='agents_llmusage_payload'),
        ),
    ]
