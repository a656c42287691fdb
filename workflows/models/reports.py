"""Daily workflow report, computed by the database."""

from django.db import models

from config.tenancy.models import ReportModel


class WorkflowRunsDaily(ReportModel):
    """Runs of one workflow on one day, by status."""

    workflow_id = models.UUIDField(help_text="The workflow.")
    runs = models.PositiveBigIntegerField(help_text="Number of started runs.")
    completed_runs = models.PositiveBigIntegerField(help_text="Number of completed runs.")
    failed_runs = models.PositiveBigIntegerField(help_text="Number of failed runs.")
    avg_seconds = models.FloatField(
        null=True, blank=True, help_text="Average duration of ended runs in seconds."
    )
    p95_seconds = models.FloatField(null=True, blank=True, help_text="95th percentile in seconds.")

    class Meta(ReportModel.Meta):
        verbose_name = "daily workflow runs"
        verbose_name_plural = "daily workflow runs"

    def __str__(self) -> str:
        return f"{self.workflow_id} on {self.date}"
