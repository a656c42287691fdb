"""Digests instead of session keys (`config.sessions`), without signing people out.

Digests cannot be reverted: backwards, all sessions end.
"""

from django.db import migrations

# A digest has 40 characters, a key has 32.
HASH_KEYS = """
UPDATE django_session SET session_key = left(encode(sha256(convert_to(session_key, 'UTF8')), 'hex'), 40)
WHERE length(session_key) < 40"""


class Migration(migrations.Migration):
    dependencies = [("config", "0004_updated_at"), ("sessions", "0001_initial")]
    operations = [migrations.RunSQL(HASH_KEYS, "DELETE FROM django_session")]
