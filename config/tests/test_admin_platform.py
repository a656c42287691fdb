"""The platform scope and the switch between tenants."""

import pytest
from django.db import ProgrammingError, transaction
from django.test import Client
from django.urls import reverse

from agents.tests.factories import AgentFactory
from audit.models import AuditLog
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.roles import as_platform

REASON = "ticket 4711: failed ingests"

# Searches and runs of single users; the app of conversations adds its own.
PERSONAL = ("knowledge.ragquery", "agents.agentrun")


def enter(client, reason=REASON):
    return client.post(reverse("admin:platform"), {"reason": reason})


@pytest.fixture
def agents_of_two(tenant, other_tenant):
    for each in (tenant, other_tenant):
        with tenant_scope(each, actor="system:test"):
            AgentFactory(name=f"Agent of {each.slug}")


def test_staff_without_a_reason_see_only_the_platform_page(staff_client, agents_of_two):
    response = staff_client.get(reverse("admin:agents_agent_changelist"))
    assert (response.status_code, response["Location"]) == (302, "/console/platform/")


def test_a_reason_of_a_word_is_not_enough(staff_client):
    assert enter(staff_client, "because").status_code == 200
    assert staff_client.get("/console/").status_code == 302


def test_with_a_reason_staff_see_all_tenants_and_the_banner(
    staff_client, agents_of_two, tenant, other_tenant
):
    assert enter(staff_client)["Location"] == "/console/"
    text = staff_client.get(reverse("admin:agents_agent_changelist")).content.decode()
    assert f"Agent of {tenant.slug}" in text
    assert f"Agent of {other_tenant.slug}" in text
    assert REASON in text
    assert "All organisations" in text


def test_one_tenant_can_be_picked(staff_client, agents_of_two, tenant, other_tenant):
    enter(staff_client)
    page = reverse("admin:agents_agent_changelist")
    rows = staff_client.get(page, {"tenant": str(tenant.pk)}).context["cl"].result_list
    assert [row.name for row in rows] == [f"Agent of {tenant.slug}"]


def test_entering_is_audited_with_reason_and_person(staff_client):
    enter(staff_client)
    with as_platform():
        entry = AuditLog.unscoped.get(action="platform.scope_entered")
    assert entry.metadata == {"reason": REASON}
    assert str(entry.user_id) == staff_client.session["_auth_user_id"]


def test_leaving_closes_it(staff_client):
    enter(staff_client)
    staff_client.post(reverse("admin:leave"))
    assert staff_client.get("/console/")["Location"] == "/console/platform/"


def test_it_ends_by_itself(staff_client):
    enter(staff_client)
    session = staff_client.session
    session["console_platform"] = session["console_platform"] | {"until": 0}
    session.save()
    assert staff_client.get("/console/")["Location"] == "/console/platform/"


def test_no_member_enters_it(admin_client):
    assert enter(admin_client).status_code == 404
    session = admin_client.session
    session["console_platform"] = {"reason": REASON, "until": 9e12}
    session.save()
    assert not admin_client.get("/console/").context["console"].is_platform


def test_staff_make_organisations(staff_client):
    from tenants.models import Tenant

    enter(staff_client)
    form = {"name": "New", "slug": "new-one", "status": "active", "plan_type": "free"}
    form |= dict.fromkeys(("settings", "branding", "agent_preferences", "metadata"), "{}")
    assert staff_client.post(reverse("admin:tenants_tenant_add"), form).status_code == 302
    with as_platform():
        assert Tenant.objects.get(slug="new-one").name == "New"


def test_every_page_opens_in_the_platform_scope(staff_client, member):
    from config.tests.test_admin_pages import ADMINS, address, get_model_label, make

    enter(staff_client)
    for model_admin in ADMINS:
        assert staff_client.get(address(model_admin, "changelist")).status_code == 200, get_model_label(
            model_admin
        )
        if get_model_label(model_admin) == "audit.auditseal":
            continue
        (row,) = make(model_admin, member)
        # Rows of single users stay hidden from everyone else.
        personal = get_model_label(model_admin) in PERSONAL and row.user_id
        said = model_admin.opts.app_label == "conversations" and not hasattr(model_admin.model, "is_report")
        wanted = 404 if personal or said else 200
        for page in ("change", "history"):
            response = staff_client.get(address(model_admin, page, row.pk))
            assert response.status_code == wanted, (get_model_label(model_admin), page)


@pytest.fixture
def public_login(transactional_db):
    """Log in as conclave_public, which cannot use the operator role."""
    from django.db import connection

    from config.testing.database import connection_parameters

    fields = connection_parameters("conclave_public")
    before = {name: connection.settings_dict[name] for name in ("USER", "PASSWORD")}

    def switch():
        connection.close()
        connection.settings_dict.update(USER=fields["user"], PASSWORD=fields["password"])

    yield switch
    connection.close()
    connection.settings_dict.update(before)


def test_a_public_deployment_refuses_the_platform_scope_in_words(public_login, staff_client):
    public_login()
    response = enter(staff_client)
    assert response.status_code == 200
    assert "does not serve the platform scope" in response.content.decode()
    session = staff_client.session
    session["console_platform"] = {"reason": REASON, "until": 9e12}
    session.save()
    refused = staff_client.get("/console/")
    assert refused.status_code == 403
    assert "does not serve the platform scope" in refused.content.decode()


def test_a_person_switches_between_their_tenants(member, other_tenant, agents_of_two, tenant):
    from accounts.tests.factories import MembershipFactory

    with tenant_scope(other_tenant, actor="system:test"):
        MembershipFactory(user=member.user, role="admin")
    client = Client()
    client.force_login(member.user)
    page = reverse("admin:agents_agent_changelist")
    for each in (other_tenant, tenant):
        assert client.post(reverse("admin:switch"), {"tenant": str(each.pk)}).status_code == 302
        assert [row.name for row in client.get(page).context["cl"].result_list] == [f"Agent of {each.slug}"]


def test_another_tenant_does_not_exist(admin_client, other_tenant):
    for wanted in (str(other_tenant.pk), "nonsense", ""):
        assert admin_client.post(reverse("admin:switch"), {"tenant": wanted}).status_code == 404


def test_switching_needs_a_csrf_token(member):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member.user)
    assert client.post(reverse("admin:switch"), {"tenant": str(member.tenant_id)}).status_code == 403


def test_a_chosen_tenant_is_forgotten_with_the_membership(member, other_tenant):
    from accounts.models import Membership

    other = add_member(other_tenant)
    client = Client()
    client.force_login(other.user)
    with tenant_scope(other_tenant, actor="system:test"):
        Membership.objects.filter(pk=other.pk).update(status="suspended")
    assert client.get("/console/").status_code == 403


def test_a_superuser_gives_rights_in_the_platform_scope(staff_client, member):
    enter(staff_client)
    page = reverse("admin:accounts_user_change", args=[member.user_id])
    form = staff_client.get(page).context["adminform"].form
    values = {name: value for name, value in form.initial.items() if value is not None}
    assert staff_client.post(page, values | {"is_staff": "on"}).status_code == 302
    member.user.refresh_from_db()
    assert (member.user.is_staff, member.user.is_superuser) == (True, False)


def test_rights_changed_outside_the_platform_scope_are_refused(member):
    member.user.is_superuser = True
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        member.user.save()
    member.user.refresh_from_db()
    member.user.save()
    assert not member.user.is_superuser
