"""Users choose their web search service; the new column has a constant default, so no row is rewritten."""

from django.db import migrations, models

import config.db.constraints


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0014_language'),
        ('tenants', '0017_branding'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='usersettings',
            name='accounts_usersettings_audit',
        ),
        migrations.AddField(
            model_name='usersettings',
            name='web_search_provider',
            field=models.CharField(blank=True, choices=[('tavily', 'Tavily'), ('serpapi', 'SerpApi'), ('disabled', 'Disabled')], db_default='', default='', help_text='Web search service of agents. Empty: any that the organisation has an account with.', max_length=20),
        ),
        migrations.AddConstraint(
            model_name='usersettings',
            constraint=models.CheckConstraint(condition=models.Q(('web_search_provider__in', ['', 'tavily', 'serpapi', 'disabled'])), name='accounts_usersettings_web_search_known'),
        ),
        migrations.AddConstraint(
            model_name='usersettings',
            constraint=config.db.constraints.AuditTrigger(label='accounts.usersettings', name='accounts_usersettings_audit', redact=('theme', 'language', 'timezone', 'notification_preferences', 'web_search_provider', 'preferences')),
        ),
    ]
