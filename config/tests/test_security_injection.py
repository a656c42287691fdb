"""SQL injected into a statement of one tenant reaches nothing beyond its scope."""

import contextlib

import psycopg
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import User
from config.db.scope_functions import SCOPE_PROOFS, SCOPE_PROOFS_REVERT
from config.postgres.logins import OWNER, TENANT, TEST
from config.testing.database import connect
from config.testing.isolation.fixtures import create_attack_fixture
from config.testing.isolation.injections import PROBES, Injection

# Grants and memberships of roles stop these.
INDEPENDENT = {"become_owner", "read_scope_keys"}


@pytest.fixture
def fixture(transactional_db):
    created = create_attack_fixture(2)
    user = User.objects.get(pk=created.users[created.tenants[1]])
    EmailAddress.objects.create(user=user, email=user.email)
    Authenticator.objects.create(user=user, type="totp", data={"secret": "s"})
    Session.objects.create(session_key="k", session_data="", expire_date=timezone.now())
    return created


def run_probe(probe, fixture, login=TENANT):
    """Return what the probe found; its changes are rolled back."""
    with connect(login, autocommit=False, cursor_factory=psycopg.ClientCursor) as connection:
        injection = Injection(connection, fixture)
        injection.open()
        assert injection.rows("SELECT id FROM agents_agent") != []
        found = probe(injection)
        with contextlib.suppress(psycopg.Error):
            connection.rollback()
    return found


@pytest.mark.security("SQL injection")
def test_no_probe_reaches_beyond_its_scope(fixture, attacks):
    assert len(PROBES) == 24
    for probe in PROBES:
        attacks.attempt(probe.__name__, succeeded=bool(run_probe(probe, fixture)))


@pytest.mark.security("SQL injection", mutation=True)
def test_probes_succeed_without_proofs_and_separate_logins(fixture, attacks):
    with connect(OWNER) as owner:
        owner.execute(SCOPE_PROOFS_REVERT)
        try:
            found = {probe.__name__: run_probe(probe, fixture, TEST) for probe in PROBES}
        finally:
            owner.execute(SCOPE_PROOFS)
    for name, rows in found.items():
        attacks.attempt(name, succeeded=bool(rows))
    assert {name for name, rows in found.items() if not rows} == INDEPENDENT
