"""Requests wait for a pooled connection instead of exceeding the server's limit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.db import connection

from config.testing.web_server import run_web_server

BURST, POOL = 60, 3


@pytest.fixture
def server(transactional_db):
    variables = {"WEB_THREADS": str(BURST), "DATABASE_POOL": str(POOL), "PGAPPNAME": "burst"}
    with run_web_server(**variables) as running:
        yield running


@pytest.mark.slow
def test_a_burst_is_answered_over_a_few_connections(server, api_key):
    headers = {"Authorization": f"Bearer {api_key().secret}"}
    with ThreadPoolExecutor(BURST) as pool:
        ask = f"{server.url}/api/v1/conversations/"
        found = list(
            pool.map(lambda _: requests.get(ask, headers=headers, timeout=30).status_code, range(BURST * 3))
        )
    assert set(found) == {200}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'burst'")
        assert 0 < cursor.fetchone()[0] <= POOL
