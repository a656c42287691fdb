"""Tests of invitations through the API."""

import re
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Invitation, Membership
from accounts.services.invitations import PER_ADDRESS
from accounts.tests.factories import InvitationFactory, UserFactory
from audit.models import AuditLog
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.fixtures import add_member
from tenants.models import OutboxEvent, Tenant

URL = "/api/v1/invitations/"
JSON = "application/json"


@pytest.fixture
def invite(api_client, member, django_capture_on_commit_callbacks):
    """Invite an address as the administrator; return the response and the token of the e-mail."""
    client = api_client(user=member.user)

    def make(email="new@example.org", client=client, url=URL, **fields):
        before = len(mail.outbox)
        with django_capture_on_commit_callbacks(execute=True):
            body = {"email": email, **fields} if url == URL else {}
            response = client.post(url, body, content_type=JSON)
        sent = mail.outbox[before:]
        return response, re.search(r"/invitations/([^/]+)/", sent[0].body)[1] if sent else None

    make.client = client
    return make


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def events(tenant):
    with tenant_scope(tenant, actor="system:test"):
        rows = AuditLog.objects.filter(action__startswith="invitation.", resource_type="accounts.invitation")
        named = rows.exclude(action__in=("invitation.updated",)).order_by("id")
        return [row.action for row in named]


def test_an_invitation_sends_an_email(invite, member, tenant):
    response, token = invite(role="analyst", message="Join <b>us</b>.")
    body = response.json()
    assert (response.status_code, body["status"], body["role"]) == (201, "pending", "analyst")
    assert body["invited_by"] == str(member.user_id)
    assert body["accepted_by"] is None
    assert token not in response.content.decode()
    assert "token" not in str(body)
    (sent,) = mail.outbox
    assert sent.to == ["new@example.org"]
    assert sent.subject == f"Invitation to {tenant.name}"
    (html,) = [part.content for part in sent.alternatives]
    assert "Join <b>us</b>." in sent.body
    assert "Join &lt;b&gt;us&lt;/b&gt;." in html
    assert token in html


def test_only_a_digest_of_the_token_is_stored(invite, tenant, member):
    _, token = invite()
    with tenant_scope(tenant, user=member.user):
        row = Invitation.objects.get()
        logged = str(list(AuditLog.objects.values_list("new_values", flat=True)))
    assert len(row.token_digest) == 32
    assert token.encode() not in bytes(row.token_digest)
    assert token not in logged
    assert "[redacted]" in logged


def test_an_existing_user_accepts_by_token(invite, tenant):
    user = UserFactory()
    response, token = invite(user.email.upper(), role="analyst")
    client = signed_in(user)
    answer = client.post(f"{URL}accept/", {"token": token}, content_type=JSON)
    assert (answer.status_code, answer.json()["role"]) == (200, "analyst")
    assert client.get("/api/v1/me/").json()["tenant_slug"] == tenant.slug
    assert client.post(f"{URL}accept/", {"token": token}, content_type=JSON).status_code == 404
    shown = invite.client.get(f"{URL}{response.json()['id']}/").json()
    assert (shown["status"], shown["accepted_by"]) == ("accepted", str(user.pk))
    assert events(tenant) == ["invitation.created", "invitation.accepted"]
    with tenant_scope(tenant):
        published = list(OutboxEvent.objects.order_by("id").values_list("type", flat=True))
    assert published == ["member.invited", "member.joined"]


def test_users_list_and_decline_their_own_invitations(invite, tenant, other_tenant):
    user = UserFactory()
    invite(user.email)
    with tenant_scope(other_tenant, actor="system:test"):
        InvitationFactory()
    client = signed_in(user)
    (offer,) = client.get("/api/v1/me/invitations/").json()
    assert (offer["organisation"], offer["email"]) == (tenant.name, user.email)
    wanted = {"invitation": offer["id"]}
    assert client.post(f"{URL}decline/", wanted, content_type=JSON).status_code == 204
    assert client.get("/api/v1/me/invitations/").json() == []
    assert events(tenant) == ["invitation.created", "invitation.declined"]


def test_unverified_users_see_no_invitations(invite):
    user = UserFactory(is_verified=False)
    invite(user.email)
    assert signed_in(user).get("/api/v1/me/invitations/").json() == []


def test_api_keys_answer_no_invitations(api_client, member, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        token = InvitationFactory(email=member.user.email).token
    response = api_client(user=member.user).post(f"{URL}accept/", {"token": token}, content_type=JSON)
    assert response.status_code == 401


def test_a_new_link_replaces_the_earlier_one(invite, tenant):
    user = UserFactory()
    response, first = invite(user.email)
    url = f"{URL}{response.json()['id']}/resend/"
    again, second = invite(url=url)
    assert again.status_code == 200
    assert events(tenant) == ["invitation.created", "invitation.resent"]
    assert second != first
    client = signed_in(user)
    assert client.post(f"{URL}accept/", {"token": first}, content_type=JSON).status_code == 404
    assert client.post(f"{URL}accept/", {"token": second}, content_type=JSON).status_code == 200
    assert invite(url=url)[0].json()["code"] == "invitation_closed"


def test_an_invitation_sent_again_is_from_its_new_sender(invite, tenant, member):
    user, inviter = UserFactory(), add_member(tenant, "viewer").user
    with tenant_scope(tenant, user=inviter):
        row = InvitationFactory(email=user.email, role="admin", invited_by=inviter)
    again, token = invite(url=f"{URL}{row.pk}/resend/")
    assert again.json()["invited_by"] == str(member.user_id)
    done = signed_in(user).post(f"{URL}accept/", {"token": token}, content_type=JSON)
    assert done.status_code == 200


def test_an_invitation_waits_while_the_member_limit_is_reached(invite, tenant):
    user = UserFactory()
    _, token = invite(user.email)
    with platform_scope(reason="test"):
        Tenant.objects.filter(pk=tenant.pk).update(max_users=1)
    client = signed_in(user)
    answer = client.post(f"{URL}accept/", {"token": token}, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (409, "limit_exceeded")
    with platform_scope(reason="test"):
        Tenant.objects.filter(pk=tenant.pk).update(max_users=2)
    assert client.post(f"{URL}accept/", {"token": token}, content_type=JSON).status_code == 200


def test_a_revoked_invitation_is_not_accepted(invite, tenant):
    user = UserFactory()
    response, token = invite(user.email)
    revoked = invite.client.post(f"{URL}{response.json()['id']}/revoke/", content_type=JSON)
    assert revoked.json()["status"] == "revoked"
    client = signed_in(user)
    assert client.post(f"{URL}accept/", {"token": token}, content_type=JSON).status_code == 404
    assert invite(user.email)[0].status_code == 201


def test_an_address_has_one_open_invitation(invite, tenant):
    assert invite()[0].status_code == 201
    response, _ = invite()
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert response.json()["detail"] == "An invitation to this address is already open."
    with tenant_scope(tenant, actor="system:test"):
        Invitation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    assert invite()[0].status_code == 201
    with tenant_scope(tenant, actor="system:test"):
        assert sorted(Invitation.objects.values_list("status", flat=True)) == ["expired", "pending"]


def test_members_are_not_invited(invite, member):
    response, _ = invite(member.user.email)
    assert (response.status_code, response.json()["code"]) == (409, "already_member")


@pytest.mark.parametrize("days", [-1, 31])
def test_expiry_is_within_30_days(invite, days):
    response, _ = invite(expires_at=(timezone.now() + timedelta(days=days)).isoformat())
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/expires_at")


def test_an_address_receives_few_emails(invite):
    response, _ = invite()
    url = f"{URL}{response.json()['id']}/resend/"
    assert [invite(url=url)[0].status_code for _ in range(PER_ADDRESS)] == [200] * (PER_ADDRESS - 1) + [429]


@pytest.mark.parametrize("body", [{}, {"token": "x", "invitation": "0" * 32}, {"token": "x.y"}])
def test_malformed_answers_are_refused(db, body):
    client = signed_in(UserFactory())
    assert client.post(f"{URL}accept/", body, content_type=JSON).status_code in (400, 404)


def test_anonymous_requests_answer_nothing(client, db):
    assert client.post(f"{URL}accept/", {"token": "x"}, content_type=JSON).status_code == 401


def test_a_failed_email_keeps_the_invitation(invite, settings, tenant):
    settings.EMAIL_BACKEND = "accounts.tests.test_invitations.BrokenBackend"
    response, token = invite()
    assert (response.status_code, token) == (201, None)


class BrokenBackend:
    """E-mail backend that always fails."""

    def __init__(self, **options):
        """Accept the options of Django's backends."""

    def send_messages(self, messages):
        raise OSError("no mail server")


@pytest.fixture
def colleague(other_tenant):
    """A user of another tenant, who has not agreed to anything."""
    return add_member(other_tenant, "user").user


def memberships(tenant, user):
    with tenant_scope(tenant, actor="system:test"):
        return Membership.objects.filter(user=user).exists()


@pytest.mark.security("invitation without consent")
def test_nobody_joins_without_consent(invite, member, tenant, colleague, admin_client, attacks):
    response, token = invite(colleague.email)
    client = invite.client
    for url, body in (
        ("/api/v1/members/", {"user": str(colleague.pk), "role": "user"}),
        ("/api/v1/api-keys/", {"name": "x", "user": str(colleague.pk)}),
        ("/api/v1/role-assignments/", {"user": str(colleague.pk)}),
        (f"{URL}accept/", {"invitation": response.json()["id"]}),
        (f"{URL}accept/", {"token": token}),
    ):
        done = client.post(url, body, content_type=JSON)
        attacks.attempt(url, succeeded=done.status_code < 400 or memberships(tenant, colleague))
    inviter = signed_in(member.user)
    for body in ({"token": token}, {"invitation": response.json()["id"]}):
        done = inviter.post(f"{URL}accept/", body, content_type=JSON)
        attacks.attempt(
            "accept for another", succeeded=done.status_code < 400 or memberships(tenant, colleague)
        )
    own = client.patch(f"/api/v1/members/{member.pk}/", {"user": str(colleague.pk)}, content_type=JSON)
    attacks.attempt(
        "PATCH user", succeeded=memberships(tenant, colleague) or colleague.email in own.content.decode()
    )
    form = {"user": colleague.pk, "role": "user", "status": "active", "permissions": "[]"}
    admin_client.post("/console/accounts/membership/add/", form)
    attacks.attempt("membership/add", succeeded=memberships(tenant, colleague))


@contextmanager
def recorded_statements():
    """Record statements without values and numbers of savepoints, which differ between requests."""
    statements = []

    def record(execute, sql, *args):
        statements.append(re.sub(r"(?<=_x)\d+", "?", sql))
        return execute(sql, *args)

    with connection.execute_wrapper(record):
        yield statements


@pytest.mark.security("invitation without consent")
def test_invitations_reveal_nothing_about_an_address(invite, colleague, attacks):
    answers, queries = [], []
    invite("first@example.org")
    for email in (colleague.email, "unknown@example.org"):
        with recorded_statements() as statements:
            response, _ = invite(email)
        queries.append(statements)
        body = response.json() | dict.fromkeys(
            ("id", "email", "created_at", "updated_at", "expires_at", "sent_at")
        )
        answers.append((response.status_code, body))
        text = invite.client.get(f"{URL}?expand=invited_by").content.decode()
        names = [colleague.first_name + " " + colleague.last_name, str(colleague.pk)]
        attacks.attempt("name", succeeded=any(name in text for name in names))
    attacks.attempt("body", succeeded=answers[0] != answers[1])
    assert any("INSERT INTO" in statement for statement in queries[0])
    attacks.attempt("statements", succeeded=queries[0] != queries[1])


@pytest.mark.security("invitation without consent", mutation=True)
def test_another_user_accepts_without_the_address_check(
    invite, member, tenant, colleague, attacks, monkeypatch
):
    other = UserFactory()
    _, token = invite(colleague.email)
    monkeypatch.setattr("accounts.services.invitations._check_address", lambda offer, user: None)
    done = signed_in(other).post(f"{URL}accept/", {"token": token}, content_type=JSON)
    attacks.attempt(succeeded=done.status_code == 200)


@pytest.mark.security("privilege escalation")
def test_managers_invite_and_accept_nothing_above_them(invite, api_client, tenant, member, attacks):
    manager = add_member(tenant, "viewer", permissions=["members:read", "members:write"])
    client = api_client(user=manager.user)
    response, _ = invite(client=client, role="admin")
    attacks.attempt("invite", succeeded=response.status_code != 403)
    above = f"{URL}{invite('boss@example.org', role='admin')[0].json()['id']}/"
    for step in ("resend", "revoke"):
        attacks.attempt(step, succeeded=client.post(f"{above}{step}/", content_type=JSON).status_code != 403)
    # An inviter who lost the permissions has not kept them in an invitation.
    second = UserFactory()
    with tenant_scope(tenant, user=manager.user):
        token = InvitationFactory(email=second.email, role="admin", invited_by=manager.user).token
    done = signed_in(second).post(f"{URL}accept/", {"token": token}, content_type=JSON)
    attacks.attempt("accept", succeeded=done.status_code != 409)
