"""Counted security events, their review by assignment and comments, and the functions that write them."""

import config.db.constraints
from django.db import migrations, models

from audit import security_functions as sql


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0001_initial'),
        ('config', '0005_hashed_sessions'),
        ('accounts', '0006_last_chosen_tenant'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='securityauditlog',
            name='audit_securityauditlog_rls',
        ),
        migrations.AddField(
            model_name='securityauditlog',
            name='assigned_to',
            field=models.UUIDField(blank=True, help_text='Member who reviews the event.', null=True),
        ),
        migrations.AddField(
            model_name='securityauditlog',
            name='last_occurred_at',
            field=models.DateTimeField(blank=True, help_text='Latest occurrence.', null=True),
        ),
        migrations.AddField(
            model_name='securityauditlog',
            name='occurrences',
            field=models.PositiveIntegerField(default=1, help_text='Number of occurrences in this minute; later ones are counted instead of stored.'),
        ),
        migrations.AddField(
            model_name='securityauditlog',
            name='review_comments',
            field=models.JSONField(blank=True, default=list, help_text='Comments on the review: `text`, `user_id` and `created_at`.'),
        ),
        migrations.AlterField(
            model_name='securityauditlog',
            name='reviewed_at',
            field=models.DateTimeField(blank=True, help_text='When the review was closed.', null=True),
        ),
        migrations.AlterField(
            model_name='securityauditlog',
            name='reviewed_by',
            field=models.UUIDField(blank=True, help_text='User who closed the review.', null=True),
        ),
        migrations.AddConstraint(
            model_name='securityauditlog',
            constraint=config.db.constraints.RowLevelSecurity(columns=('requires_review', 'reviewed_at', 'reviewed_by', 'assigned_to', 'review_comments'), identity='SELECT, INSERT', identity_rows='tenant_id IS NULL', name='audit_securityauditlog_rls', operator='SELECT, INSERT, UPDATE', operator_columns=('requires_review', 'reviewed_at', 'reviewed_by', 'assigned_to', 'review_comments'), verbs='SELECT, INSERT, UPDATE'),
        ),
        migrations.RunSQL(sql.RECORD, sql.RECORD_DROP),
        migrations.RunSQL(sql.audited_events_sql(), sql.AUDITED_EVENTS_DROP),
    ]
