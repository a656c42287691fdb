"""State of reviews, computed from their columns."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_security_review'),
    ]

    operations = [
        migrations.AddField(
            model_name='securityauditlog',
            name='review_state',
            field=models.GeneratedField(choices=[('none', 'None'), ('open', 'Open'), ('assigned', 'Assigned'), ('closed', 'Closed')], db_persist=True, expression=models.Case(models.When(reviewed_at__isnull=False, then=models.Value('closed')), models.When(requires_review=False, then=models.Value('none')), models.When(assigned_to__isnull=False, then=models.Value('assigned')), default=models.Value('open')), help_text='State of the review.', output_field=models.CharField(max_length=20)),
        ),
        migrations.AddConstraint(
            model_name='securityauditlog',
            constraint=models.CheckConstraint(condition=models.Q(('review_state__in', ['none', 'open', 'assigned', 'closed'])), name='audit_security_review_known'),
        ),
    ]
