"""Accounts at HTTP services."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0012_payout_refusals'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='integration',
            name='agents_integration_platform_known',
        ),
        migrations.AlterField(
            model_name='integration',
            name='platform',
            field=models.CharField(choices=[('extractive', 'Extractive (offline, quotes passages)'), ('openai-compatible', 'OpenAI-compatible endpoint'), ('openai', 'OpenAI'), ('anthropic', 'Anthropic'), ('google', 'Google'), ('xai', 'xAI'), ('cohere', 'Cohere'), ('perplexity', 'Perplexity'), ('ollama', 'Ollama'), ('tavily', 'Tavily (web search)'), ('serpapi', 'SerpApi (web search)'), ('http', 'HTTP service (workflows)')], help_text='Provider.', max_length=100),
        ),
        migrations.AddConstraint(
            model_name='integration',
            constraint=models.CheckConstraint(condition=models.Q(('platform__in', ['extractive', 'openai-compatible', 'openai', 'anthropic', 'google', 'xai', 'cohere', 'perplexity', 'ollama', 'tavily', 'serpapi', 'http'])), name='agents_integration_platform_known'),
        ),
    ]
