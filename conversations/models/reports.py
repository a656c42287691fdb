"""Daily conversation report, computed by the database."""

from django.db import models

from config.tenancy.models import ReportModel


class ConversationActivityDaily(ReportModel):
    """How much was said on one day, by how many, and what it cost."""

    conversations = models.PositiveBigIntegerField(help_text="Conversations in which something was said.")
    people = models.PositiveBigIntegerField(help_text="People who said something.")
    questions = models.PositiveBigIntegerField(help_text="Messages of people.")
    answers = models.PositiveBigIntegerField(help_text="Messages of agents.")
    failed_answers = models.PositiveBigIntegerField(help_text="Answers that failed.")
    token_count = models.PositiveBigIntegerField(help_text="Tokens used.")
    cost = models.DecimalField(max_digits=18, decimal_places=6, help_text="US dollars.")
    p95_latency_ms = models.FloatField(
        null=True, blank=True, help_text="95 % of the answers took at most so many milliseconds."
    )

    class Meta(ReportModel.Meta):
        verbose_name = "conversations of a day"
        verbose_name_plural = "conversations by day"

    def __str__(self) -> str:
        return f"conversations on {self.date}"
