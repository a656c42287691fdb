"""Logging configuration: JSON lines in production, plain text elsewhere.

Secrets, personal data and local variables are not logged.
"""

from typing import Any

import structlog

from config.observability.masking import mask, mask_event
from config.observability.tracing import is_on, trace_ids


def add_trace(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add the ids of the current span (structlog processor)."""
    return event | trace_ids()


def plain_text(logger: Any, method: str, event: dict[str, Any]) -> str:
    """Render an event as plain text and mask it, including its traceback (structlog renderer)."""
    return mask(_CONSOLE(logger, method, event))


# structlog's default traceback would print local variables, including secrets.
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
    """Return Django's LOGGING setting and configure structlog to match."""
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
