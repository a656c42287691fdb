"""Events of assignments to activities."""

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.tests.test_admin_forms import resubmit
from tenants.models import OutboxEvent
from workflows.models import ActivityAssignment
from workflows.tests.factories import ActivityAssignmentFactory, ActivityFactory

URL = "/api/v1/activity-assignments/"


def list_assigned(tenant):
    with tenant_scope(tenant, actor="system:test"):
        rows = OutboxEvent.objects.filter(type="activity.assigned").order_by("id")
        return [event.data["user_id"] for event in rows]


def test_new_assignment_is_an_event_and_a_change_is_none(tenant, api_client):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        activity = ActivityFactory()
    body = {"activity": str(activity.pk), "user": str(client.key.user_id), "role": "lead"}
    made = client.post(URL, body, content_type="application/json")
    assert made.status_code == 201, made.content
    changed = client.patch(
        f"{URL}{made.json()['id']}/", {"role": "reviewer"}, content_type="application/json"
    )
    assert changed.status_code == 200
    assert list_assigned(tenant) == [str(client.key.user_id)]


def test_reassignment_is_an_event(tenant, api_client):
    client, colleague = api_client(), add_member(tenant, "user")
    with tenant_scope(tenant, user=client.key.user):
        assignment = ActivityAssignmentFactory(user=client.key.user)
    body = {"user": str(colleague.user_id)}
    changed = client.patch(f"{URL}{assignment.pk}/", body, content_type="application/json")
    assert changed.status_code == 200, changed.content
    assert list_assigned(tenant) == [str(colleague.user_id)]


def test_console_publishes_the_event_too(tenant, member, admin_client):
    colleague = add_member(tenant, "user")
    with tenant_scope(tenant, user=member.user):
        activity = ActivityFactory()
    page = f"/console/workflows/activity/{activity.pk}/change/"
    inline = {
        "assignments-TOTAL_FORMS": "1",
        "assignments-0-user": str(colleague.user_id),
        "assignments-0-role": "lead",
        "assignments-0-activity": str(activity.pk),
    }
    assert resubmit(admin_client, page, **inline).status_code == 302
    direct = {"activity": str(activity.pk), "user": str(member.user_id), "role": "lead"}
    assert resubmit(admin_client, "/console/workflows/activityassignment/add/", **direct).status_code == 302
    with tenant_scope(tenant, actor="system:test"):
        row = ActivityAssignment.objects.get(user=member.user)
    page = f"/console/workflows/activityassignment/{row.pk}/change/"
    assert resubmit(admin_client, page, role="reviewer").status_code == 302
    assert list_assigned(tenant) == [str(colleague.user_id), str(member.user_id)]
