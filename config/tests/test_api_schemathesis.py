"""schemathesis over the OpenAPI document: no 5xx, no answer that the document does not know."""

import os

import pytest
import schemathesis
from django.core import signals
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from config.api.docs import document
from config.wsgi import application

schema = schemathesis.openapi.from_dict(document())
schema.app = application
# A longer search: API_FUZZ_EXAMPLES=200 adds the edge cases of every parameter too.
EXAMPLES = int(os.environ.get("API_FUZZ_EXAMPLES", "8"))
schema.config.phases.coverage.enabled = EXAMPLES > 50
# A bad body may be refused for its size or for a stale If-Match before it is read.
schema.config.checks.negative_data_rejection.expected_statuses = ["4xx"]


@pytest.fixture
def kept_connection():
    """Each request would end the test's own transaction with its connection."""
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


@pytest.mark.slow
@pytest.mark.django_db
@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_api_keeps_to_its_document(case, api_key, kept_connection):
    key = api_key(rate_limit=1_000_000)

    # What the document cannot say is refused as well: ids of no row, cursors that were not made here.
    case.call_and_validate(
        headers={"Authorization": f"Bearer {key.secret}"}, excluded_checks=[positive_data_acceptance]
    )
