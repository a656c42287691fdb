"""Review of security events in the API and the console."""

import pytest
from django.urls import reverse

from audit.models import SecurityAuditLog
from audit.tests.factories import SecurityAuditLogFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member

LOGS = "/api/v1/security-logs/"


def make_event(tenant, **fields):
    with tenant_scope(tenant, actor="system:test"):
        return SecurityAuditLogFactory(**{"requires_review": True, **fields})


def post(client, event, action, body=None):
    return client.post(f"{LOGS}{event.pk}/{action}/", body, content_type="application/json")


def test_a_review_is_assigned_commented_and_closed(tenant, member, api_client):
    client, event = api_client(), make_event(tenant)

    states = [client.get(f"{LOGS}{event.pk}/").json()["review_state"]]
    for action, body in (
        ("assign", {"assigned_to": str(member.user_id)}),
        ("comment", {"text": "A colleague on holiday."}),
        ("comment", {"text": "Confirmed."}),
        ("review", None),
    ):
        states.append((last := post(client, event, action, body).json())["review_state"])

    assert states == ["open", "assigned", "assigned", "assigned", "closed"]
    assert last["assigned_to"] == str(member.user_id)
    assert [each["text"] for each in last["review_comments"]] == ["A colleague on holiday.", "Confirmed."]
    assert {each["user_id"] for each in last["review_comments"]} == {str(client.key.user_id)}


def test_an_event_that_needs_no_review_may_be_assigned(tenant, member, api_client):
    event = make_event(tenant, requires_review=False)
    body = {"assigned_to": str(member.user_id)}
    assert post(api_client(), event, "assign", body).json()["review_state"] == "assigned"


def test_a_review_is_assigned_to_members_only(tenant, other_tenant, api_client):
    outsider = add_member(other_tenant)
    response = post(api_client(), make_event(tenant), "assign", {"assigned_to": str(outsider.user_id)})

    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == ["/assigned_to"]


def test_a_closed_review_is_not_assigned_again(tenant, member, api_client):
    client, event = api_client(), make_event(tenant)
    post(client, event, "review")
    body = post(client, event, "assign", {"assigned_to": str(member.user_id)}).json()
    assert (body["review_state"], body["assigned_to"]) == ("closed", None)


def test_the_queue_is_filtered_by_state_and_severity(tenant, api_client):
    wanted = make_event(tenant, severity="ERROR")
    make_event(tenant, severity="INFO")
    make_event(tenant, severity="ERROR", requires_review=False)

    url = f"{LOGS}?review_state_in=open,assigned&severity_in=ERROR,CRITICAL"
    assert [row["id"] for row in api_client().get(url).json()["results"]] == [str(wanted.pk)]


@pytest.mark.parametrize("action", ["assign", "comment", "review"])
def test_a_review_needs_the_scope_and_the_tenant(action, tenant, other_tenant, api_client):
    own, foreign = make_event(tenant), make_event(other_tenant)
    body = {"assign": {"assigned_to": None}, "comment": {"text": "x"}}.get(action)

    assert post(api_client(scopes=["security:read"]), own, action, body).status_code == 403
    assert post(api_client(), foreign, action, body).status_code == 404


def test_the_console_assigns_and_comments(tenant, member, admin_client):
    event = make_event(tenant)
    page = reverse("admin:audit_securityauditlog_changelist")
    for asked in ({"action": "take"}, {"action": "comment", "comment": "Looks fine."}):
        admin_client.post(page, {"_selected_action": [str(event.pk)], **asked})

    with tenant_scope(tenant):
        row = SecurityAuditLog.objects.get(pk=event.pk)
    assert (row.assigned_to, row.review_state) == (member.user_id, "assigned")
    assert [each["text"] for each in row.review_comments] == ["Looks fine."]
    assert 'name="comment"' in admin_client.get(page).content.decode()
