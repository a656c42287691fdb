"""Daily workflow report, computed by the database."""

from django.db import models

from config.tenancy.models import ReportModel


class WorkflowRunsDaily(ReportModel):
    """Runs of one workflow on one day, by outcome."""

    workflow_id = models.UUIDField(help_text="The workflow.")
    runs = models.PositiveBigIntegerField(help_text="Runs that began.")
    completed_runs = models.PositiveBigIntegerField(help_text="Of these, completed.")
    failed_runs = models.PositiveBigIntegerField(help_text="Of these, failed.")
    avg_seconds = models.FloatField(
        null=True, blank=True, help_text="Mean of the seconds that ended runs took."
    )
    p95_seconds = models.FloatField(null=True, blank=True, help_text="95 % of them took at most this long.")

    class Meta(ReportModel.Meta):
        verbose_name = "runs of a day"
        verbose_name_plural = "workflow runs by day"

    def __str__(self) -> str:
        return f"{self.workflow_id} on {self.date}"
