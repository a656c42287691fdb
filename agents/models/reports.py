"""Daily reports on models and agents, computed by the database."""

from django.db import models

from config.tenancy.models import ReportModel


class UsageDaily(ReportModel):
    """Usage and cost of one model of one provider on one day."""

    provider = models.CharField(max_length=50, help_text="Model provider.")
    model = models.CharField(max_length=100, help_text="Model name.")
    calls = models.PositiveBigIntegerField(help_text="Number of calls.")
    failed_calls = models.PositiveBigIntegerField(help_text="Number of failed calls.")
    prompt_tokens = models.PositiveBigIntegerField(help_text="Input tokens.")
    completion_tokens = models.PositiveBigIntegerField(help_text="Output tokens.")
    total_cost = models.DecimalField(max_digits=18, decimal_places=6, help_text="Cost in US dollars.")
    avg_latency_ms = models.FloatField(null=True, blank=True, help_text="Average latency in milliseconds.")

    class Meta(ReportModel.Meta):
        verbose_name = "daily usage"
        verbose_name_plural = "daily usage"

    def __str__(self) -> str:
        return f"{self.provider}:{self.model} on {self.date}"


class AgentActivityDaily(ReportModel):
    """Runs, failures and latency of one agent on one day."""

    agent_id = models.UUIDField(help_text="The agent.")
    runs = models.PositiveBigIntegerField(help_text="Number of runs.")
    failed_runs = models.PositiveBigIntegerField(help_text="Number of failed runs.")
    tokens_used = models.PositiveBigIntegerField(help_text="Number of tokens used.")
    p50_ms = models.FloatField(null=True, blank=True, help_text="Median duration in milliseconds.")
    p95_ms = models.FloatField(null=True, blank=True, help_text="95th percentile in milliseconds.")
    p99_ms = models.FloatField(null=True, blank=True, help_text="99th percentile in milliseconds.")

    class Meta(ReportModel.Meta):
        verbose_name = "daily agent activity"
        verbose_name_plural = "daily agent activity"

    def __str__(self) -> str:
        return f"{self.agent_id} on {self.date}"
