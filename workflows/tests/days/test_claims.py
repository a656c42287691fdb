"""The days notice a model that gains no row although `docs/schema/writers.yaml` says so."""

import pytest

from tenants.tests.factories import TenantFactory
from workflows.tests.days.conftest import find_lost_claims
from workflows.tests.days.driver import Day, find_written_columns


def test_model_that_gained_no_row_is_named():
    claimed = set(find_lost_claims("convergio", set()))
    assert "agents.AgentRun" in claimed
    assert find_lost_claims("convergio", claimed - {"agents.AgentRun"}) == ["agents.AgentRun"]
    assert find_lost_claims("convergio", claimed) == []


def test_day_without_a_claim_is_refused():
    with pytest.raises(AssertionError, match="no model is claimed"):
        find_lost_claims("tomorrow", set())


def test_rows_before_the_day_do_not_count(db):
    TenantFactory()
    day = Day()
    assert day.list_gained_models() == set()
    TenantFactory()
    assert "tenants.Tenant" in day.list_gained_models()


def test_written_columns_are_found(tenant):
    fields = ["tenants.Tenant.slug", "tenants.Tenant.industry", "tenants.Engagement.name"]
    assert find_written_columns(fields) == ["tenants.Tenant.slug"]


def test_rows_that_no_one_reads_are_named(tenant):
    day = Day()
    assert day.list_unreadable_models({"agents.Agent", "tenants.TenantKey"}) == ["agents.Agent"]
    day.paths.add("/api/v1/agents/")
    assert day.list_unreadable_models({"agents.Agent"}) == []
