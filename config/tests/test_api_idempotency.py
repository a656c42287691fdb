"""A repeated POST has one effect."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from agents.models import Agent
from config.tenancy.scope import platform_scope, tenant_scope
from tenants.models import IdempotencyKey

AGENTS = "/api/v1/agents/"


def post(client, key, body=None, address=AGENTS):
    body = body or {"name": "n", "slug": "s"}
    return client.post(address, body, content_type="application/json", headers={"Idempotency-Key": key})


def count(key):
    with tenant_scope(key.tenant_id):
        return Agent.objects.count()


@pytest.mark.django_db
def test_same_key_replays_the_answer(api_client):
    client = api_client()

    first, second = post(client, "k1"), post(client, "k1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first["Location"] == second["Location"]
    assert first["ETag"] == second["ETag"]
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert count(client.key) == 1


@pytest.mark.django_db
def test_other_body_is_422(api_client):
    client = api_client()
    post(client, "k1")

    response = post(client, "k1", {"name": "other", "slug": "other"})

    assert response.status_code == 422
    assert response.json()["code"] == "idempotency_key_reused"


@pytest.mark.django_db
def test_keys_belong_to_their_credential(api_client):
    one, two = api_client(), api_client()

    assert post(one, "k1").status_code == 201
    assert post(two, "k1", {"name": "m", "slug": "m"}).status_code == 201


@pytest.mark.django_db
def test_failed_request_leaves_the_key_free(api_client):
    client = api_client()

    assert post(client, "k1", {"name": "n"}).status_code == 400
    assert post(client, "k1").status_code == 201


@pytest.mark.django_db
def test_expired_key_starts_anew(api_client, settings):
    client = api_client()
    post(client, "k1")
    old = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEEP_HOURS + 1)
    with platform_scope(reason="test"):
        IdempotencyKey.unscoped.update(created_at=old)

    assert post(client, "k1", {"name": "m", "slug": "m"}).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["x" * 256, "ü"])
def test_bad_keys_are_400(key, api_client):
    assert post(api_client(), key).status_code == 400


@pytest.mark.django_db
def test_stored_answer_of_a_new_api_key_holds_no_secret(api_client):
    client = api_client()
    first = post(client, "k1", {"name": "ci"}, "/api/v1/api-keys/")
    second = post(client, "k1", {"name": "ci"}, "/api/v1/api-keys/")

    with tenant_scope(client.key.tenant_id):
        stored = bytes(IdempotencyKey.objects.get().body)
    assert first.json()["key"].startswith("cvk_live_")
    assert second.json() == first.json() | {"key": None}
    assert first.json()["key"].encode() not in stored


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_have_one_effect(api_key):
    key = api_key()
    start = threading.Barrier(4)
    answers = []

    def send():
        client = Client(headers={"authorization": f"Bearer {key.secret}"})
        start.wait()
        answers.append(post(client, "k1"))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 3
    assert count(key) == 1
