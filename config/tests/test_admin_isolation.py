"""All console pages open, hide rows of other tenants and secrets, and deny writes to viewers."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.admin import ModelAdmin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.admin.permissions import granted_verbs
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from config.testing.content_security import find_violations
from config.testing.database import shared_rows
from config.testing.factories import factory_for
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
    "workflows.workflowgate",
}
# Some platform rows are visible to all tenants.
HIDDEN = [each for each in VISIBLE if each.model.row_security.get("read") not in ("true", "is_public")]
MOST_QUERIES = 15


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


@dataclass(frozen=True)
class ConsoleRows:
    """Rows of a member, a row of another tenant, and clients of the member and of a viewer."""

    model_admin: ModelAdmin
    member: Any
    rows: tuple[Any, ...]
    foreign: Any
    client: Client
    viewer: Client

    def get(self, page, *args):
        return self.client.get(address(self.model_admin, page, *args))

    def count_queries(self, page, *args):
        with CaptureQueriesContext(connection) as captured:
            response = self.get(page, *args)
        assert response.status_code == 200, page
        return len(captured), response


@pytest.fixture(scope="module")
def console(request, django_db_setup, django_db_blocker):
    model_admin = request.param
    with shared_rows(django_db_blocker):
        tenant, other = (factory_for("tenants.Tenant")() for _ in range(2))
        member = add_member(tenant)
        rows = make(model_admin, member, 1 if get_model_label(model_admin) in SINGLE else 3)
        (foreign,) = make(model_admin, add_member(other))
        clients = (signed_in(member.user), signed_in(add_member(tenant, "viewer").user))
        yield ConsoleRows(model_admin, member, tuple(rows), foreign, *clients)


def each_of(model_admins):
    return pytest.mark.parametrize("console", model_admins, ids=get_model_label, indirect=True)


@each_of(HIDDEN)
def test_a_foreign_object_and_a_missing_one_answer_alike(console):
    for page in ("change", "history", "delete"):
        answers = [console.get(page, pk) for pk in (console.foreign.pk, uuid7())]
        assert {answer.status_code for answer in answers} <= {404, 403}, page
        assert len({(answer.status_code, answer.content) for answer in answers}) == 1, page
    assert str(console.foreign.pk) not in console.get("changelist").content.decode()


@pytest.mark.security("content security policy")
@each_of(VISIBLE)
def test_pages_keep_to_their_policy_with_at_most_fifteen_queries(console, attacks):
    (row, *_), label = console.rows, get_model_label(console.model_admin)
    # The first requests fill the caches of the process.
    console.get("changelist")
    console.get("change", row.pk)
    listed, changelist = console.count_queries("changelist")
    changed, change = console.count_queries("change", row.pk)
    _, history = console.count_queries("history", row.pk)
    add = console.get("add")

    assert max(listed, changed) <= MOST_QUERIES
    assert add.status_code == (200 if console.model_admin.has_add_permission(add.wsgi_request) else 403)
    for response in (changelist, change, history, add):
        found = find_violations(response)
        attacks.attempt(f"{response.wsgi_request.path}: {found}", succeeded=bool(found))
    if label not in SINGLE:
        make(console.model_admin, console.member, 2)
        more, response = console.count_queries("changelist")
        assert response.context["cl"].result_count >= 4
        assert more == listed


@each_of(VISIBLE)
def test_viewer_cannot_write(console):
    model_admin, (row, *_), client = console.model_admin, console.rows, console.viewer
    assert client.post(address(model_admin, "add"), {}).status_code == 403
    for page in ("change", "delete"):
        answer = client.post(address(model_admin, page, row.pk), {"post": "yes"})
        assert answer.status_code in (403, 404), page


def test_a_viewer_sees_no_people_and_no_keys(tenant):
    client = signed_in(add_member(tenant, "viewer").user)
    for model in ("user", "membership", "apikey", "role"):
        assert client.get(reverse(f"admin:accounts_{model}_changelist")).status_code == 403


def test_sign_in_requires_a_membership(db):
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
