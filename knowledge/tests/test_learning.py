"""Patterns that are seen again, judged, found and forgotten."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from knowledge.models import LearningPattern
from knowledge.services.learning import expire_patterns, observe_pattern, record_outcome, similar_patterns

DRAFTING = {"agent": "writer", "when": "drafting letters to customers"}
COOKING = {"tool": "oven", "temperature": "220 degrees"}
PATH = "/api/v1/learning-patterns/"


def test_repeated_pattern_gains_confidence(scope):
    first = observe_pattern("ai_preference", DRAFTING)
    again = observe_pattern("ai_preference", DRAFTING)
    assert (first.pk, again.pk) == (again.pk, LearningPattern.objects.get().pk)
    assert (first.confidence, again.confidence, again.occurrences) == (
        Decimal("0.2065"),
        Decimal("0.3424"),
        2,
    )


def test_other_text_or_type_is_another_pattern(scope):
    observe_pattern("ai_preference", DRAFTING)
    observe_pattern("tool_usage", DRAFTING)
    observe_pattern("ai_preference", COOKING)
    assert LearningPattern.objects.count() == 3


def test_confidence_follows_feedback(scope):
    pattern = observe_pattern("ai_preference", DRAFTING)
    observe_pattern("ai_preference", DRAFTING)
    helped = record_outcome(pattern, helped=True)
    assert (helped.success_rate, helped.confidence) == (Decimal(1), Decimal("0.3424"))
    failed = record_outcome(pattern, helped=False)
    assert (failed.success_rate, failed.confidence) == (Decimal("0.5"), Decimal("0.0945"))


def test_nearest_own_pattern_comes_first(tenant, scope):
    with_colleague = add_member(tenant).user
    cooking, drafting = observe_pattern("tool_usage", COOKING), observe_pattern("ai_preference", DRAFTING)
    found = similar_patterns("drafting letters to customers")
    assert [pattern.pk for pattern in found] == [drafting.pk, cooking.pk]
    assert found[0].distance < found[1].distance
    assert with_colleague.pk != scope.user_id


def test_nobody_finds_a_colleagues_patterns(tenant, member):
    with tenant_scope(tenant, user=add_member(tenant).user):
        observe_pattern("ai_preference", DRAFTING)
    with tenant_scope(tenant, user=member.user):
        assert similar_patterns("drafting letters to customers") == []
        assert observe_pattern("ai_preference", DRAFTING).occurrences == 1


@pytest.mark.parametrize(("days", "kept"), [(0, 1), (60, 1), (240, 0)])
def test_unrepeated_patterns_expire(tenant, member, days, kept):
    with tenant_scope(tenant, user=member.user):
        observe_pattern("ai_preference", DRAFTING)
        LearningPattern.objects.update(last_seen_at=timezone.now() - timedelta(days=days))
    assert expire_patterns() == 1 - kept
    with tenant_scope(tenant, user=member.user):
        assert LearningPattern.objects.count() == kept


def test_api_records_rates_and_finds_patterns(api_client):
    client = api_client()
    seen = {"pattern_type": "ai_preference", "data": DRAFTING}
    made = client.post(f"{PATH}observe/", seen, content_type="application/json").json()
    judged = client.post(f"{PATH}{made['id']}/outcome/", {"helped": False}, content_type="application/json")
    found = client.post(f"{PATH}similar/", {"text": "drafting letters"}, content_type="application/json")
    assert (made["occurrences"], made["confidence"]) == (1, "0.2065")
    assert (judged.json()["success_rate"], judged.json()["confidence"]) == ("0.0000", "0.0000")
    assert [each["pattern"]["id"] for each in found.json()["results"]] == [made["id"]]


def test_pattern_of_a_colleague_cannot_be_rated(api_client, tenant):
    with tenant_scope(tenant, user=add_member(tenant).user):
        foreign = observe_pattern("ai_preference", DRAFTING)
    answer = api_client().post(
        f"{PATH}{foreign.pk}/outcome/", {"helped": True}, content_type="application/json"
    )
    assert answer.status_code == 404
