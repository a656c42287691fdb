"""Tests of the console pages of invitations."""

from django.test import Client
from django.urls import reverse

from accounts.models import Invitation, Membership
from accounts.tests.factories import InvitationFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member


def test_people_are_invited_by_email_address(member, admin_client, other_tenant):
    known = add_member(other_tenant).user
    page = reverse("admin:accounts_invitation_add")
    assert admin_client.get(page).status_code == 200
    form = {"role": "analyst", "message": "", "expires_at_0": "", "expires_at_1": ""}
    for email in (known.email, "New@Example.org"):
        assert admin_client.post(page, form | {"email": email}).status_code == 302
    again = admin_client.post(page, form | {"email": known.email})
    assert "An invitation to this address is already open." in again.content.decode()
    own = admin_client.post(page, form | {"email": member.user.email})
    assert "This person is already a member." in own.content.decode()
    with tenant_scope(member.tenant_id, user=member.user):
        assert set(Invitation.objects.values_list("email", flat=True)) == {known.email, "new@example.org"}
        assert Membership.objects.count() == 1


def test_invitations_are_sent_again_and_revoked(member, admin_client):
    with tenant_scope(member.tenant_id, user=member.user):
        invitation = InvitationFactory(invited_by=member.user)
    page = reverse("admin:accounts_invitation_changelist")
    for action in ("resend", "revoke", "resend"):
        admin_client.post(page, {"action": action, "_selected_action": [str(invitation.pk)]})
    with tenant_scope(member.tenant_id, user=member.user):
        row = Invitation.objects.get()
    assert row.status == "revoked"
    assert row.sent_at > invitation.sent_at
    assert admin_client.get(reverse("admin:accounts_invitation_change", args=[row.pk])).status_code == 200


def test_platform_staff_invite_to_any_organisation(staff_client, tenant):
    staff_client.post(reverse("admin:platform"), {"reason": "First administrator"})
    page = reverse("admin:accounts_invitation_add")
    form = {"organisation": tenant.pk, "email": "first@example.org", "role": "admin", "message": ""}
    response = staff_client.post(page, form | {"expires_at_0": "", "expires_at_1": ""})
    assert response.status_code == 302, response.content
    with tenant_scope(tenant, actor="system:test"):
        assert Invitation.objects.get().invited_by_id is None


def test_platform_staff_send_again_for_the_inviter(staff_client, tenant, member):
    with tenant_scope(tenant, user=member.user):
        invitation = InvitationFactory(invited_by=member.user)
    staff_client.post(reverse("admin:platform"), {"reason": "Lost e-mail"})
    page = reverse("admin:accounts_invitation_changelist")
    staff_client.post(page, {"action": "resend", "_selected_action": [str(invitation.pk)]})
    with tenant_scope(tenant, actor="system:test"):
        row = Invitation.objects.get()
    assert row.sent_at > invitation.sent_at
    assert row.invited_by_id == member.user_id


def test_analyst_cannot_add_members(tenant):
    client = Client()
    client.force_login(add_member(tenant, "analyst").user)
    page = reverse("admin:accounts_invitation_add")
    assert client.post(page, {"email": "new@example.org", "role": "admin"}).status_code == 403
