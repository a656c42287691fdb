"""The console hides rows of other tenants and secrets, and denies writes to viewers."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.admin.permissions import granted_verbs
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.tests.test_admin_pages import SCOPED, address, get_model_label, make

VISIBLE = [each for each in SCOPED if "SELECT" in granted_verbs(each.model, platform=False)]
# Models with a single visible row.
SINGLE = {
    "accounts.twofactorauth",
    "accounts.userprofile",
    "accounts.usersettings",
    "accounts.workprofile",
    "tenants.tenant",
}
# Some platform rows are visible to all tenants.
HIDDEN = [each for each in VISIBLE if each.model.row_security.get("read") not in ("true", "is_public")]
PLURAL = [each for each in VISIBLE if get_model_label(each) not in SINGLE]


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("model_admin", HIDDEN, ids=get_model_label)
def test_a_foreign_object_and_a_missing_one_answer_alike(model_admin, member, admin_client, other_tenant):
    (foreign,) = make(model_admin, add_member(other_tenant))
    for page in ("change", "history", "delete"):
        answers = [admin_client.get(address(model_admin, page, pk)) for pk in (foreign.pk, uuid7())]
        assert {answer.status_code for answer in answers} <= {404, 403}, page
        assert len({(answer.status_code, answer.content) for answer in answers}) == 1, page
    assert str(foreign.pk) not in admin_client.get(address(model_admin, "changelist")).content.decode()


@pytest.mark.parametrize("model_admin", PLURAL, ids=get_model_label)
def test_a_changelist_runs_as_many_queries_for_three_rows_as_for_one(model_admin, member, admin_client):
    make(model_admin, member)
    admin_client.get(address(model_admin, "changelist"))
    with CaptureQueriesContext(
        connection,
    ) as one:
        admin_client.get(address(model_admin, "changelist"))
    make(model_admin, member, 2)
    with CaptureQueriesContext(connection) as three:
        response = admin_client.get(address(model_admin, "changelist"))
    assert response.context["cl"].result_count >= 2
    assert len(three) == len(one), [query["sql"] for query in three]


@pytest.mark.parametrize("model_admin", VISIBLE, ids=get_model_label)
def test_a_viewer_writes_nothing(model_admin, member, tenant):
    (row,) = make(model_admin, member)
    client = signed_in(add_member(tenant, "viewer").user)
    assert client.post(address(model_admin, "add"), {}).status_code == 403
    for page in ("change", "delete"):
        assert client.post(address(model_admin, page, row.pk), {"post": "yes"}).status_code in (403, 404), (
            page
        )


def test_a_viewer_sees_no_people_and_no_keys(tenant):
    client = signed_in(add_member(tenant, "viewer").user)
    for model in ("user", "membership", "apikey", "role"):
        assert client.get(reverse(f"admin:accounts_{model}_changelist")).status_code == 403


def test_nobody_enters_without_a_membership(db):
    from accounts.tests.factories import UserFactory

    response = signed_in(UserFactory()).get("/console/")
    assert response.status_code == 403
    assert b"not an active member" in response.content


def test_a_suspended_tenant_is_refused_with_its_reason(member, admin_client):
    from config.testing.roles import as_platform
    from tenants.models import Tenant

    with as_platform():
        Tenant.objects.filter(pk=member.tenant_id).update(status="suspended")
    response = admin_client.get("/console/")
    assert response.status_code == 403
    assert b"is suspended" in response.content


def test_a_colleagues_conversation_is_not_the_administrators(member, admin_client, tenant):
    from conversations.tests.factories import MessageFactory

    colleague = add_member(tenant)
    with tenant_scope(tenant, user=colleague.user):
        message = MessageFactory(content="between us")
    page = reverse("admin:conversations_conversation_change", args=[message.conversation_id])
    assert admin_client.get(page).status_code == 404
    assert (
        admin_client.get(reverse("admin:conversations_message_change", args=[message.pk])).status_code == 404
    )
    assert b"between us" in signed_in(colleague.user).get(page).content


def test_roles_given_to_a_person_add_to_their_permissions(tenant):
    from accounts.tests.factories import RoleAssignmentFactory, RoleFactory

    viewer = add_member(tenant, "viewer")
    with tenant_scope(tenant, actor="system:test"):
        RoleAssignmentFactory(user=viewer.user, role=RoleFactory(permissions=["audit:read"]))
    assert signed_in(viewer.user).get(reverse("admin:audit_auditlog_changelist")).status_code == 200
