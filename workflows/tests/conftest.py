"""Fixtures of workflows."""

import pytest

from config.tenancy.scope import tenant_scope
from workflows.runtime.step_bodies import _bodies
from workflows.services.runs import start_run
from workflows.testing import run_lanes
from workflows.tests.runs import publish, reread


@pytest.fixture
def start(tenant, member):
    """Start a workflow of these steps, run its lanes and return the run."""

    def run(*steps, input_data=None, **members):
        with tenant_scope(tenant, user=member.user):
            row = start_run(publish(*steps, **members), input_data=input_data, user_id=member.user_id)
        run_lanes(tenant)
        return reread(row)

    return run


@pytest.fixture
def http(monkeypatch):
    """Replace the body of HTTP steps by `http.run`, or by a list of results, of which errors are raised."""
    results, contexts = [], []

    def body(context):
        contexts.append(context)
        if body.run:
            return body.run()
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setitem(_bodies, "http", body)
    body.results, body.contexts, body.run = results, contexts, None
    return body
