"""Enumerated values of audit."""

from django.db.models import TextChoices


class AuditStatus(TextChoices):
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class EventCategory(TextChoices):
    AUTH = "auth"
    ACCESS = "access"
    DATA = "data"
    CONFIG = "config"


class Severity(TextChoices):
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"
