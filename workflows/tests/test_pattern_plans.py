"""Query plans of learned patterns, with statistics of many rows."""

import pytest
from django.db import connection

from agents.tests.factories import AgentFactory
from config.postgres.logins import OWNER
from config.tenancy.scope import tenant_scope
from config.testing.database import connect
from config.testing.fixtures import add_member
from conversations.runtime import learned_patterns
from knowledge.models import LearningPattern
from tenants.tests.factories import TenantFactory
from workflows.models import AgentLearningPattern
from workflows.tests.factories import AgentLearningPatternFactory

# Patterns that clients observed have no key.
WITH_KEY, WITHOUT = 20, 1000


def make_rows(tenant, user_id):
    for number in range(WITH_KEY + WITHOUT):
        key = f"tool:{number}" if number < WITH_KEY else ""
        yield (
            LearningPattern(tenant=tenant, user_id=user_id, pattern_type="other", key=key, data={}),
            AgentLearningPatternFactory.build(tenant=tenant, key=key),
        )


@pytest.fixture
def plan(transactional_db, monkeypatch):
    """The plan of the query for an agent and a person."""
    asked = []
    monkeypatch.setattr(learned_patterns, "run_prepared", lambda *args: asked.append(args) or [])
    tenant = TenantFactory()
    user_id = add_member(tenant).user_id
    with tenant_scope(tenant, user=user_id):
        personal, shared = zip(*make_rows(tenant, user_id), strict=True)
        LearningPattern.objects.bulk_create(personal)
        AgentLearningPattern.objects.bulk_create(shared)
        learned_patterns.find_terms_and_patterns(AgentFactory(), "What?", user_id, [])
    with connect(OWNER) as owner:
        owner.execute("ANALYZE knowledge_learningpattern, workflows_agentlearningpattern")
    ((sql, parameters),) = asked
    with tenant_scope(tenant, user=user_id), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", parameters)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_patterns_are_found_by_their_keys(plan):
    assert "knowledge_pattern_once" in plan
    assert "workflows_agentlearningpattern_once" in plan
