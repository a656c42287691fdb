from django.db import migrations

from config.db.engagements import ENGAGEMENT_SCOPE, ENGAGEMENT_SCOPE_DROP


class Migration(migrations.Migration):
    dependencies = [("config", "0005_hashed_sessions")]
    operations = [migrations.RunSQL(ENGAGEMENT_SCOPE, ENGAGEMENT_SCOPE_DROP)]
