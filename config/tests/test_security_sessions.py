"""Sessions stored under a digest of their key, which opens no session."""

from importlib import import_module

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from config import sessions
from config.testing.database import connect

HASHED_SESSIONS = import_module("config.migrations.0005_hashed_sessions").HASH_KEYS


def signs_in(key):
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    return client.get("/console/").status_code == 200


@pytest.fixture
def stolen_keys(admin_client):
    """The stored keys of sessions, as the identity role reads them."""
    return list(Session.objects.values_list("session_key", flat=True))


def test_a_cookie_opens_its_session(admin_client):
    key = admin_client.cookies[settings.SESSION_COOKIE_NAME].value
    assert signs_in(key)
    assert not Session.objects.filter(session_key=key).exists()
    assert sessions.SessionStore().exists(key)


def test_signing_out_deletes_the_session(admin_client):
    key = admin_client.cookies[settings.SESSION_COOKIE_NAME].value
    admin_client.logout()
    assert not signs_in(key)
    assert Session.objects.count() == 0


@pytest.mark.django_db
def test_a_session_that_does_not_exist_gets_another_key():
    store = sessions.SessionStore("x" * 32)
    assert store.get("a") is None
    assert store.session_key is None
    store["a"] = 1
    store.save()
    assert sessions.SessionStore(store.session_key)["a"] == 1


@pytest.mark.parametrize(
    ("method", "arguments"), [("asave", (True,)), ("aload", ()), ("aexists", ("x",)), ("adelete", ("x",))]
)
def test_asynchronous_methods_cannot_use_plain_keys(method, arguments):
    call = getattr(sessions.SessionStore("x" * 32), method)
    with pytest.raises(NotImplementedError, match="synchronous"):
        async_to_sync(call)(*arguments)


@pytest.mark.security("session theft")
def test_stored_keys_open_no_session(stolen_keys, attacks):
    for key in stolen_keys:
        attacks.attempt(succeeded=signs_in(key))
        attacks.attempt(succeeded=signs_in(key[:32]))


@pytest.mark.security("session theft", mutation=True)
def test_stored_keys_open_sessions_if_they_are_not_hashed(monkeypatch, request, attacks):
    monkeypatch.setattr(sessions, "hash_session_key", lambda key: key)
    for key in request.getfixturevalue("stolen_keys"):
        attacks.attempt(succeeded=signs_in(key))


def test_sessions_of_earlier_versions_stay_valid(transactional_db):
    earlier = db.SessionStore()
    earlier["name"] = "value"
    earlier.save()
    connection.close()
    with connect("conclave_owner") as owner:
        for _ in range(2):
            owner.execute(HASHED_SESSIONS)
    assert sessions.SessionStore(earlier.session_key)["name"] == "value"
