"""Idle and absolute timeouts of signed-in sessions."""

import pytest

from config import session_timeouts
from config.session_timeouts import LAST_SEEN_AT, SIGNED_IN_AT

pytestmark = pytest.mark.django_db
CONSOLE = "/console/"
IDLE, LONGEST = 120 * 60, 12 * 3600


@pytest.fixture
def clock(monkeypatch):
    """A function that lets time pass in the middleware."""
    passed = [0.0]
    real = session_timeouts.time.time
    monkeypatch.setattr(session_timeouts, "time", type("Clock", (), {"time": lambda: real() + passed[0]}))
    return lambda seconds: passed.__setitem__(0, passed[0] + seconds)


def is_signed_in(client):
    return client.get(CONSOLE).status_code == 200


@pytest.mark.security("session timeout")
def test_an_idle_session_ends_with_a_message(admin_client, clock, attacks):
    assert is_signed_in(admin_client)
    clock(IDLE + 1)
    page = admin_client.get(CONSOLE, follow=True)
    attacks.attempt("idle session", succeeded=page.redirect_chain == [])
    assert "you were inactive" in page.content.decode()
    attacks.attempt("the same cookie", succeeded=is_signed_in(admin_client))


@pytest.mark.security("session timeout")
def test_an_active_session_ends_after_the_maximum_time(admin_client, clock, attacks):
    for _ in range(LONGEST // 3600):
        assert is_signed_in(admin_client)
        clock(3600)
    clock(1)
    page = admin_client.get(CONSOLE, follow=True)
    attacks.attempt("old session", succeeded=page.redirect_chain == [])
    assert "a long time ago" in page.content.decode()


@pytest.mark.security("session timeout")
def test_the_api_refuses_an_ended_session(admin_client, clock, attacks):
    assert admin_client.get("/api/v1/agents/").status_code == 200
    clock(IDLE + 1)
    attacks.attempt("API", succeeded=admin_client.get("/api/v1/agents/").status_code == 200)


@pytest.mark.security("session timeout", mutation=True)
@pytest.mark.parametrize("seconds", [IDLE + 1, LONGEST + 1])
def test_without_limits_sessions_go_on(admin_client, clock, settings, attacks, seconds):
    settings.SIGN_IN_IDLE_MINUTES = settings.SIGN_IN_MAX_HOURS = 0
    assert is_signed_in(admin_client)
    clock(seconds)
    attacks.attempt(f"{seconds} s", succeeded=is_signed_in(admin_client))


def test_requests_write_the_session_once_a_minute(admin_client, clock):
    assert is_signed_in(admin_client)
    first = dict(admin_client.session)
    clock(30)
    assert is_signed_in(admin_client)
    assert admin_client.session[LAST_SEEN_AT] == first[LAST_SEEN_AT]
    clock(40)
    assert is_signed_in(admin_client)
    assert admin_client.session[LAST_SEEN_AT] > first[LAST_SEEN_AT]
    assert admin_client.session[SIGNED_IN_AT] == first[SIGNED_IN_AT]


def test_sessions_from_before_the_limits_stay_valid(admin_client):
    session = admin_client.session
    for name in (SIGNED_IN_AT, LAST_SEEN_AT):
        session.pop(name, None)
    session.save()
    assert is_signed_in(admin_client)
