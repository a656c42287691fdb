"""Daily conversation report, computed by the database."""

from django.db import models

from config.tenancy.models import ReportModel


class ConversationActivityDaily(ReportModel):
    """Messages, users and cost of all conversations on one day."""

    conversations = models.PositiveBigIntegerField(help_text="Number of active conversations.")
    people = models.PositiveBigIntegerField(help_text="Number of active users.")
    questions = models.PositiveBigIntegerField(help_text="Number of questions.")
    answers = models.PositiveBigIntegerField(help_text="Number of answers.")
    failed_answers = models.PositiveBigIntegerField(help_text="Number of failed answers.")
    token_count = models.PositiveBigIntegerField(help_text="Number of tokens used.")
    cost = models.DecimalField(max_digits=18, decimal_places=6, help_text="Cost in US dollars.")
    p95_latency_ms = models.FloatField(
        null=True, blank=True, help_text="95th percentile of the latency in milliseconds."
    )

    class Meta(ReportModel.Meta):
        verbose_name = "daily conversations"
        verbose_name_plural = "daily conversations"

    def __str__(self) -> str:
        return f"conversations on {self.date}"
