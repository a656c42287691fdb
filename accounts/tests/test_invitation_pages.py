"""Tests of the pages on which invited people answer."""

import re

import pytest
from django.test import Client

from accounts import views
from accounts.models import Invitation, Membership, User
from accounts.services.invitations import make_token
from accounts.tests.factories import PASSWORD, InvitationFactory, UserFactory
from accounts.views import VIEWS_PER_MINUTE
from config.observability.masking import mask
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.roles import as_identity

MINE = "/invitations/"
SIGN_UP = {
    "action": "accept",
    "first_name": "Ada",
    "last_name": "L",
    "password": PASSWORD,
    "password_again": PASSWORD,
}


@pytest.fixture
def invite(tenant, member):
    def make(email="new@example.org", **fields):
        with tenant_scope(tenant, user=member.user):
            row = InvitationFactory(email=email, invited_by=member.user, **fields)
        return row, f"/invitations/{row.token}/"

    return make


@pytest.fixture
def signed_in():
    def make(user):
        client = Client()
        client.force_login(user)
        return client

    return make


def status_of(tenant, row):
    with tenant_scope(tenant, actor="system:test"):
        return Invitation.objects.get(pk=row.pk).status


def test_new_people_sign_up_and_become_members(client, invite, tenant, settings):
    assert settings.SIGNUP_OPEN is False
    row, url = invite(role="analyst", message="<i>Hello</i>")
    page = client.get(url)
    assert (page.status_code, page["Cache-Control"].split(",")[0]) == (200, "max-age=0")
    text = page.content.decode()
    assert tenant.name in text
    assert "&lt;i&gt;Hello&lt;/i&gt;" in text
    assert status_of(tenant, row) == "pending"
    done = client.post(url, SIGN_UP)
    assert (done.status_code, done["Location"]) == (302, "/console/")
    with as_identity():
        user = User.objects.get(email="new@example.org")
    assert (user.is_verified, user.full_name) == (True, "Ada L")
    with tenant_scope(tenant, actor="system:test"):
        assert Membership.objects.get(user=user).role == "analyst"
    assert client.get("/console/").status_code == 200
    assert client.get(url).status_code == 404


@pytest.mark.parametrize("password", [PASSWORD, f"  {PASSWORD} "])
def test_new_people_sign_in_later_with_their_password(client, invite, password):
    _, url = invite()
    client.post(url, SIGN_UP | {"password": password, "password_again": password})
    again = Client()
    done = again.post("/accounts/login/", {"login": "new@example.org", "password": password})
    assert (done.status_code, done["Location"]) == (302, "/console/")


@pytest.mark.parametrize("wrong", [{"password": "short"}, {"password_again": "another one entirely"}])
def test_sign_up_checks_the_password(client, invite, tenant, wrong):
    row, url = invite()
    assert client.post(url, SIGN_UP | wrong).status_code == 200
    assert status_of(tenant, row) == "pending"


def test_existing_people_sign_in_first(client, invite, signed_in, tenant):
    user = UserFactory()
    row, url = invite(user.email)
    text = client.get(url).content.decode()
    assert f"/accounts/login/?next={MINE}" in text
    assert "password" not in text
    client.post(
        url, SIGN_UP | {"password": "an attacker's password", "password_again": "an attacker's password"}
    )
    assert status_of(tenant, row) == "pending"
    own = signed_in(user)
    assert "Accept" in own.get(url).content.decode()
    assert own.post(url, {"action": "accept"}).status_code == 302
    assert status_of(tenant, row) == "accepted"


def test_a_form_without_an_answer_changes_nothing(client, invite, signed_in, tenant):
    user = UserFactory()
    row, url = invite(user.email)
    own = signed_in(user)
    for page, body in ((url, {}), (url, {"action": "x"}), (MINE, {"invitation": row.pk})):
        assert own.post(page, body).status_code == 400
    assert status_of(tenant, row) == "pending"
    new, url = invite()
    assert client.post(url, SIGN_UP | {"action": "x"}).status_code == 400
    assert status_of(tenant, new) == "pending"


def test_a_form_sent_twice_asks_to_sign_in(client, invite, monkeypatch):
    _, url = invite()
    answers = iter([False])
    monkeypatch.setattr(views, "is_registered", lambda email: next(answers, True))
    UserFactory(email="new@example.org")
    page = client.post(url, SIGN_UP)
    assert page.status_code == 200
    assert "Sign in to answer the invitation." in page.content.decode()


def test_a_void_invitation_creates_no_account(client, tenant):
    inviter = add_member(tenant, "viewer").user
    with tenant_scope(tenant, user=inviter):
        row = InvitationFactory(email="new@example.org", role="admin", invited_by=inviter)
    assert client.post(f"/invitations/{row.token}/", SIGN_UP).status_code == 409
    with as_identity():
        assert not User.objects.filter(email="new@example.org").exists()


def test_people_answer_in_the_list(invite, signed_in, tenant):
    user = UserFactory()
    row, _ = invite(user.email)
    client = signed_in(user)
    assert tenant.name in client.get(MINE).content.decode()
    assert MINE in client.get("/console/").content.decode()
    assert client.post(MINE, {"invitation": row.pk, "action": "accept"}).status_code == 302
    assert status_of(tenant, row) == "accepted"
    assert "You have no open invitations" in client.get(MINE).content.decode()
    assert client.post(MINE, {"invitation": row.pk, "action": "accept"}).status_code == 404


def test_the_list_requires_signing_in(client, db):
    assert client.get(MINE).status_code == 302


def test_the_link_declines_without_signing_in(client, invite, tenant):
    row, url = invite()
    assert client.post(url, {"action": "decline"}).status_code == 302
    assert status_of(tenant, row) == "declined"


def test_the_link_needs_a_csrf_token(invite, tenant):
    row, url = invite()
    assert Client(enforce_csrf_checks=True).post(url, SIGN_UP).status_code == 403
    assert status_of(tenant, row) == "pending"


def test_other_people_cannot_use_the_link(invite, signed_in, tenant):
    other = UserFactory()
    row, url = invite()
    client = signed_in(other)
    assert "You are signed in as" in client.get(url).content.decode()
    assert client.post(url, {"action": "accept"}).status_code == 409
    assert status_of(tenant, row) == "pending"


def test_guesses_are_limited_and_answered_alike(client, db):
    forged = make_token()[:-1] + "!"
    pages = [client.get(f"/invitations/{token}/") for token in ("x", "cvk_invite_x.y", forged, make_token())]
    assert {page.status_code for page in pages} == {404}
    assert len({re.sub(rb'nonce="[^"]+"', b"", page.content) for page in pages}) == 1
    for _ in range(VIEWS_PER_MINUTE):
        last = client.get("/invitations/x/")
    assert last.status_code == 429


def test_logs_do_not_show_the_token(invite):
    _, url = invite()
    assert url.split(".")[0] not in mask(f"GET {url}")
