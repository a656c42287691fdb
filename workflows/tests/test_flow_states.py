"""States of agent crews in master flows."""

import uuid

import pytest

from config.tenancy.scope import tenant_scope
from workflows.models import MasterFlow
from workflows.services.flow_states import (
    clear_pending_feedback,
    load_flow_state,
    load_pending_feedback,
    save_flow_state,
)
from workflows.tests.factories import MasterFlowFactory

QUESTION = {"method_name": "draft", "message": "Publish this?"}


def test_a_flow_without_a_state_has_none(scope):
    flow = MasterFlowFactory()

    assert load_flow_state(flow.pk) is None
    assert load_pending_feedback(flow.pk) is None
    clear_pending_feedback(flow.pk)
    assert load_flow_state(uuid.uuid4()) is None


def test_the_latest_state_is_returned(scope):
    flow = MasterFlowFactory()
    save_flow_state(flow.pk, "draft", {"id": str(flow.pk), "n": 1})
    save_flow_state(flow.pk, "check", {"id": str(flow.pk), "n": 2})

    assert load_flow_state(flow.pk) == {"id": str(flow.pk), "n": 2}
    assert MasterFlow.objects.get(pk=flow.pk).state["method"] == "check"


def test_a_question_keeps_its_state_until_it_is_answered(scope):
    flow = MasterFlowFactory()
    save_flow_state(flow.pk, "draft", {"n": 1}, pending=QUESTION)
    save_flow_state(flow.pk, "draft", {"n": 2})

    assert load_pending_feedback(flow.pk) == ({"n": 1}, QUESTION)
    clear_pending_feedback(flow.pk)
    assert load_pending_feedback(flow.pk) is None
    assert load_flow_state(flow.pk) == {"n": 2}


def test_flows_of_other_tenants_are_unknown(tenant, member, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        foreign = MasterFlowFactory()
        save_flow_state(foreign.pk, "draft", {"n": 1}, pending=QUESTION)
    with tenant_scope(tenant, user=member.user):
        assert load_flow_state(foreign.pk) is None
        assert load_pending_feedback(foreign.pk) is None
        clear_pending_feedback(foreign.pk)
        with pytest.raises(MasterFlow.DoesNotExist):
            save_flow_state(foreign.pk, "draft", {"n": 2})

    with tenant_scope(other_tenant, actor="system:test"):
        assert load_pending_feedback(foreign.pk) == ({"n": 1}, QUESTION)
