"""Console sign-in: errors, audit events, rate limit and second factor."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import PASSWORD
from audit.models import SecurityAuditLog
from config.testing.roles import as_platform


@pytest.fixture
def events(db):
    def read():
        with as_platform():
            return list(
                SecurityAuditLog.unscoped.order_by("id").values_list("event_type", "actor_email", "tenant_id")
            )

    return read


def sign_in(client, email, password=PASSWORD):
    form = {"login": email, "password": password, "next": "/console/"}
    return client.post(reverse("account_login"), form)


def test_the_console_sends_strangers_to_the_sign_in_page(db):
    response = Client().get("/console/agents/agent/", follow=True)
    assert response.redirect_chain[-1][0] == "/accounts/login/?next=%2Fconsole%2Fagents%2Fagent%2F"
    assert b"Sign in to the console" in response.content


def test_the_right_password_opens_the_console_and_is_recorded(member, events):
    client = Client()
    response = sign_in(client, member.user.email)
    assert (response.status_code, response["Location"]) == (302, "/console/")
    assert client.get("/console/").status_code == 200
    assert events() == [("auth.login", member.user.email, member.tenant_id)]


def test_a_wrong_password_says_so_and_is_recorded(member, events):
    response = sign_in(Client(), member.user.email, "wrong")
    assert response.status_code == 200
    assert "password you specified are not correct" in response.content.decode()
    assert events() == [("auth.login_failed", member.user.email, member.tenant_id)]


def test_the_sixth_attempt_within_a_minute_is_refused_even_with_the_right_password(member):
    client = Client()
    for _ in range(5):
        sign_in(client, member.user.email, "wrong")
    response = sign_in(client, member.user.email)
    assert "Too many sign-in attempts." in response.content.decode()
    assert client.get("/console/").status_code == 302


def test_sign_in_requires_an_enabled_second_factor(member):
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    TOTP.activate(member.user, generate_totp_secret())
    code = RecoveryCodes.activate(member.user).get_unused_codes()[0]
    client = Client()
    assert sign_in(client, member.user.email)["Location"].startswith(reverse("mfa_authenticate"))
    assert client.get("/console/").status_code == 302
    assert client.post(reverse("mfa_authenticate"), {"code": code}).status_code == 302
    assert client.get("/console/").status_code == 200


def test_signing_out_is_recorded(member, admin_client, events):
    assert admin_client.post(reverse("admin:logout")).status_code == 200
    assert [event for event, *_ in events()] == ["auth.login", "auth.logout"]
