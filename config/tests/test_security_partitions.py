"""A missing current partition is a server error, not a client error."""

from datetime import UTC, datetime

import orjson
import pytest
from django.db import IntegrityError, transaction

from agents.tests.factories import LlmUsageFactory
from config.api.exceptions import problem_handler
from config.db.ids import uuid7_floor


def test_a_missing_partition_is_no_fault_of_the_request(scope):
    far = uuid7_floor(datetime(2090, 1, 1, tzinfo=UTC))
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        LlmUsageFactory(id=far)
    response = problem_handler(caught.value, {})
    assert response.status_code == 503
    assert orjson.loads(response.content)["code"] == "no_partition"
