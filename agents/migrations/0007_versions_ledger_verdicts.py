"""Published versions stay, the ledger of sales goes one way, and verdicts on prompts may be changed."""

from django.db import migrations, models

import agents.models.mcp
from agents import functions as counters, triggers as guards


class Migration(migrations.Migration):

    dependencies = [('agents', '0006_budgets_prices_fallbacks')]

    operations = [
        migrations.AlterField(
            model_name='mcpserver',
            name='config_schema',
            field=models.JSONField(blank=True, default=dict, help_text='JSON schema of what it needs to be told.', validators=[agents.models.mcp.check_schema]),
        ),
        migrations.RunSQL(guards.VERSIONS, guards.VERSIONS_DROP),
        migrations.RunSQL(guards.PURCHASES, guards.PURCHASES_DROP),
        migrations.RunSQL(counters.PROMPTS_DROP, counters.PROMPTS),
        migrations.RunSQL(counters.VERDICTS, counters.VERDICTS_DROP),
    ]
