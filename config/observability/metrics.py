"""Counters for Prometheus, kept where METRICS_TOKEN is set; labels never name a tenant or a person.

Metrics of model calls have the names of OpenTelemetry's conventions for generative AI, in Prometheus notation.
"""

import os
from functools import cache
from types import SimpleNamespace
from typing import Any

TOKEN = "METRICS_TOKEN"  # noqa: S105 (the name of the variable)
# Of a model's answer, in seconds; those of the conventions.
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


def is_on() -> bool:
    """Whether anybody may read metrics."""
    return bool(os.environ.get(TOKEN))


@cache
def _kept() -> Any:
    from prometheus_client import Counter, Gauge, Histogram

    return SimpleNamespace(
        calls=Histogram(
            "gen_ai_client_operation_duration_seconds",
            "Calls of models, by provider and outcome.",
            ["provider", "outcome"],
            buckets=SECONDS,
        ),
        tokens=Counter("gen_ai_client_token_usage", "Tokens of models' calls.", ["provider", "type"]),
        tools=Histogram(
            "conclave_tool_call_duration_seconds",
            "Calls of tools, by how they ended.",
            ["status"],
            buckets=SECONDS,
        ),
        denials=Counter("conclave_budget_denials", "Calls of models that a budget did not allow."),
        streams=Gauge("conclave_open_streams", "Answers that are streamed now.", multiprocess_mode="livesum"),
    )


def model_call(provider: str, *, responded: bool, seconds: float, sent: int, received: int) -> None:
    """A model's call ended; one that failed brought no answer."""
    if not is_on():
        return
    _kept().calls.labels(provider, "ok" if responded else "error").observe(seconds)
    _kept().tokens.labels(provider, "input").inc(sent)
    _kept().tokens.labels(provider, "output").inc(received)


def tool_call(status: str, seconds: float) -> None:
    """A tool's call ended."""
    if is_on():
        _kept().tools.labels(status).observe(seconds)


def budget_denied() -> None:
    """A budget did not allow a call."""
    if is_on():
        _kept().denials.inc()


def streams_changed(by: int) -> None:
    """A stream began (1) or ended (-1)."""
    if is_on():
        _kept().streams.inc(by)
