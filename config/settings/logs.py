"""Logs: one JSON object a line in production, readable lines elsewhere; without secrets, personal data and locals."""

from typing import Any

import structlog

from config.observability.masking import mask, mask_event
from config.observability.tracing import is_on, trace_ids


def add_trace(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """structlog's processor: the ids of the span that is open."""
    return event | trace_ids()


def plain_text(logger: Any, method: str, event: dict[str, Any]) -> str:
    """structlog's renderer for people; its own traceback would be written after everything was masked."""
    return mask(_CONSOLE(logger, method, event))


# The pretty traceback would print local variables, secrets among them.
_CONSOLE = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    *([add_trace] if is_on() else []),
]
QUIET = ("procrastinate", "httpx", "httpx2", "pypdf", "django_structlog", "asyncio")


def logging_settings(level: str, *, as_json: bool) -> dict[str, Any]:
    """Django's LOGGING, for the standard library's loggers and structlog's alike."""
    as_lines = [structlog.processors.format_exc_info, mask_event, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "house": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *(as_lines if as_json else [plain_text]),
                ],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "house"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            **{name: {"level": "WARNING"} for name in QUIET},
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
        },
    }
