"""Indexes of actions and actors.

Building them blocks writes to the logs. On a large log, create each with the same name first: on the table with
`CREATE INDEX ... ON ONLY`, on each partition with `CREATE INDEX CONCURRENTLY`, then `ALTER INDEX ... ATTACH PARTITION`,
and fake this migration.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0005_documented_defaults'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='auditlog',
            index=models.Index(fields=['tenant_id', 'action', '-id'], name='audit_auditlog_action'),
        ),
        migrations.AddIndex(
            model_name='securityauditlog',
            index=models.Index(fields=['tenant_id', 'actor_user_id', '-id'], name='audit_security_actor'),
        ),
    ]
