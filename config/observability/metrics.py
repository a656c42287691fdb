"""Prometheus metrics, recorded if METRICS_TOKEN is set. Labels never identify a tenant or a person.

Metrics of model calls have the names of OpenTelemetry's semantic conventions for generative AI.
"""

import os
from functools import cache
from types import SimpleNamespace
from typing import Any

TOKEN = "METRICS_TOKEN"  # noqa: S105 (the name of the variable)
# Histogram buckets of the semantic conventions, in seconds.
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


def is_on() -> bool:
    """Return whether metrics are recorded."""
    return bool(os.environ.get(TOKEN))


@cache
def _metrics() -> Any:
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
        refusals=Counter(
            "conclave_refused_requests",
            "Requests refused because of a limit, and clients that disconnected (499).",
            ["status"],
        ),
        streams=Gauge("conclave_open_streams", "Answers that are streamed now.", multiprocess_mode="livesum"),
    )


def record_model_call(provider: str, *, responded: bool, seconds: float, sent: int, received: int) -> None:
    """Record a finished model call and its tokens."""
    if not is_on():
        return
    _metrics().calls.labels(provider, "ok" if responded else "error").observe(seconds)
    _metrics().tokens.labels(provider, "input").inc(sent)
    _metrics().tokens.labels(provider, "output").inc(received)


def record_tool_call(status: str, seconds: float) -> None:
    """Record a finished tool call."""
    if is_on():
        _metrics().tools.labels(status).observe(seconds)


def record_budget_denial() -> None:
    """Record a model call that a budget rejected."""
    if is_on():
        _metrics().denials.inc()


def record_refused_request(status: int) -> None:
    """Record a request that the web server refused; 499 is a client that disconnected."""
    if is_on():
        _metrics().refusals.labels(str(status)).inc()


def change_open_streams(by: int) -> None:
    """Count a started (1) or finished (-1) stream."""
    if is_on():
        _metrics().streams.inc(by)
