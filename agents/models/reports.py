"""Daily reports on models and agents, computed by the database."""

from django.db import models

from config.tenancy.models import ReportModel


class UsageDaily(ReportModel):
    """Usage and cost of one model of one provider on one day."""

    provider = models.CharField(max_length=50, help_text="Who ran the model.")
    model = models.CharField(max_length=100, help_text="The model.")
    calls = models.PositiveBigIntegerField(help_text="Calls.")
    failed_calls = models.PositiveBigIntegerField(help_text="Calls that failed.")
    prompt_tokens = models.PositiveBigIntegerField(help_text="Tokens sent.")
    completion_tokens = models.PositiveBigIntegerField(help_text="Tokens received.")
    total_cost = models.DecimalField(max_digits=18, decimal_places=6, help_text="US dollars.")
    avg_latency_ms = models.FloatField(null=True, blank=True, help_text="Mean of the milliseconds taken.")

    class Meta(ReportModel.Meta):
        verbose_name = "usage of a day"
        verbose_name_plural = "usage by day"

    def __str__(self) -> str:
        return f"{self.provider}:{self.model} on {self.date}"


class AgentActivityDaily(ReportModel):
    """Runs, failures and latency of one agent on one day."""

    agent_id = models.UUIDField(help_text="Agent that ran.")
    runs = models.PositiveBigIntegerField(help_text="Runs.")
    failed_runs = models.PositiveBigIntegerField(help_text="Runs that failed.")
    tokens_used = models.PositiveBigIntegerField(help_text="Tokens used.")
    p50_ms = models.FloatField(null=True, blank=True, help_text="Half took at most so many milliseconds.")
    p95_ms = models.FloatField(null=True, blank=True, help_text="95 % took at most so many milliseconds.")
    p99_ms = models.FloatField(null=True, blank=True, help_text="99 % took at most so many milliseconds.")

    class Meta(ReportModel.Meta):
        verbose_name = "activity of an agent"
        verbose_name_plural = "agent activity by day"

    def __str__(self) -> str:
        return f"{self.agent_id} on {self.date}"
