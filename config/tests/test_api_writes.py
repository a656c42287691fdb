"""Create, update and delete: entity tags, locks, permissions and resource-specific rules."""

import re
import threading

import pytest
from django.db import connection
from django.test import Client

from accounts.models import ApiKey, Membership
from accounts.tests.factories import MembershipFactory, RoleFactory, UserFactory
from agents.models import Agent, Integration
from agents.tests.factories import AgentFactory
from audit.tests.factories import SecurityAuditLogFactory
from config.tenancy.scope import tenant_scope
from knowledge.tests.factories import CollectionFactory, RagQueryFactory

pytestmark = pytest.mark.django_db
AGENTS = "/api/v1/agents/"
JSON = "application/json"


def in_tenant(client, make, **fields):
    with tenant_scope(client.key.tenant_id, user=client.key.user_id):
        return make(**fields)


def patch(client, address, body, **headers):
    return client.patch(address, body, content_type=JSON, headers=headers)


def post(client, address, body=None):
    return client.post(address, body or {}, content_type=JSON)


def make_agent(client, **fields):
    return post(client, AGENTS, {"name": "n", "slug": "s"} | fields)


def test_created_agent_is_complete_and_owned(api_client):
    client = api_client()
    collection = in_tenant(client, CollectionFactory)

    response = make_agent(
        client, name="  Ada ", collections=[str(collection.pk)], tags=["a"], temperature="0.5"
    )

    body = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"{AGENTS}{body['id']}/"
    assert (body["name"], body["temperature"], body["tags"]) == ("Ada", "0.50", ["a"])
    assert body["collections"] == [str(collection.pk)]
    assert body["created_by"] == str(client.key.user_id)
    assert client.get(response["Location"]).content == response.content
    assert client.get(response["Location"])["ETag"] == response["ETag"]


@pytest.mark.parametrize("name", ["id", "tenant", "tenant_id", "created_by"])
def test_id_tenant_and_creator_cannot_be_chosen(name, api_client, other_tenant):
    client = api_client()

    response = make_agent(client, **{name: str(other_tenant.pk)})

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == f"/{name}"
    with tenant_scope(client.key.tenant_id):
        assert not Agent.objects.exists()


def test_patch_changes_what_it_names(api_client):
    client = api_client()
    collections = [in_tenant(client, CollectionFactory) for _ in range(2)]
    address = make_agent(client, collections=[str(collections[0].pk)])["Location"]

    first = patch(client, address, {"name": "m"}).json()
    second = patch(client, address, {"collections": [str(collections[1].pk)]}).json()

    assert (first["name"], first["slug"], first["collections"]) == ("m", "s", [str(collections[0].pk)])
    assert second["collections"] == [str(collections[1].pk)]
    assert patch(client, address, {"collections": []}).json()["collections"] == []


def test_put_needs_what_the_model_needs(api_client):
    client = api_client()
    address = make_agent(client)["Location"]

    assert client.put(address, {"name": "m"}, content_type=JSON).status_code == 400
    assert client.put(address, {"name": "m", "slug": "t"}, content_type=JSON).json()["slug"] == "t"


def test_etag_saves_the_body(api_client):
    client = api_client()
    address = make_agent(client)["Location"]
    etag = client.get(address)["ETag"]

    for given in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        response = client.get(address, headers={"If-None-Match": given})
        assert (response.status_code, response.content) == (304, b"")
    assert client.get(f"{address}?fields=name", headers={"If-None-Match": etag}).status_code == 200
    patch(client, address, {"name": "m"})
    assert client.get(address, headers={"If-None-Match": etag}).status_code == 200


def test_if_match_refuses_stale_changes(api_client):
    client = api_client()
    address = make_agent(client)["Location"]
    old = client.get(f"{address}?fields=name")["ETag"]

    # All versions are equal within the test's transaction, hence an invented stale tag.
    assert patch(client, address, {"name": "m"}, **{"If-Match": old}).status_code == 200
    assert patch(client, address, {"name": "o"}, **{"If-Match": '"1"'}).status_code == 412
    assert client.delete(address, headers={"If-Match": '"1"'}).status_code == 412
    assert client.get(address).json()["name"] == "m"


@pytest.mark.django_db(transaction=True)
def test_second_of_two_concurrent_changes_is_stale(api_key):
    key = api_key()
    client = Client(headers={"authorization": f"Bearer {key.secret}"})
    address = make_agent(client)["Location"]
    etag = client.get(address)["ETag"]
    start, answers = threading.Barrier(2), []

    def send(name):
        own = Client(headers={"authorization": f"Bearer {key.secret}"})
        start.wait()
        answers.append(patch(own, address, {"name": name}, **{"If-Match": etag}).status_code)
        connection.close()

    threads = [threading.Thread(target=send, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [200, 412]


def test_deleted_agent_is_hidden_and_kept(api_client):
    client = api_client()
    address = make_agent(client)["Location"]

    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get(AGENTS).json()["results"] == []
    with tenant_scope(client.key.tenant_id):
        assert Agent.unscoped.filter(deleted_at__isnull=False).count() == 1
    assert make_agent(client).status_code == 201


def test_publishing_keeps_the_settings(api_client):
    client = api_client()
    collection = in_tenant(client, CollectionFactory)
    address = make_agent(client, collections=[str(collection.pk)])["Location"]

    first = post(client, f"{address}publish/", {"note": "begin"})
    patch(client, address, {"name": "m"})
    second = post(client, f"{address}publish/")

    assert first.status_code == 201, first.content
    assert (first.json()["version"], second.json()["version"]) == (1, 2)
    assert first.json()["snapshot"]["name"] == "n"
    assert first.json()["snapshot"]["collections"] == [str(collection.pk)]
    assert second.json()["snapshot"]["name"] == "m"
    assert client.get(address).json()["version"] == 2


def test_credentials_are_write_only(api_client):
    client = api_client()
    body = {"name": "i", "platform": "openai-compatible", "credentials": {"api_key": "sk-very-secret"}}

    made = post(client, "/api/v1/integrations/", body)
    kept = patch(client, made["Location"], {"credentials": "********", "name": "j"})

    assert made.json()["credentials"] == kept.json()["credentials"] == "********"
    assert b"sk-very-secret" not in made.content + kept.content + client.get("/api/v1/audit-logs/").content
    with tenant_scope(client.key.tenant_id):
        assert Integration.objects.get().credentials == {"api_key": "sk-very-secret"}


def test_new_key_works_and_ends_with_its_revocation(api_client):
    client = api_client()
    made = post(client, "/api/v1/api-keys/", {"name": "ci", "scopes": ["agents:read"]})
    other = Client(headers={"authorization": f"Bearer {made.json()['key']}"})

    assert other.get(AGENTS).status_code == 200
    assert other.get("/api/v1/collections/").status_code == 403
    assert "key" not in client.get(made["Location"]).json()
    assert client.delete(made["Location"]).status_code == 204
    assert other.get(AGENTS).status_code == 401
    assert client.get(made["Location"]).json()["status"] == "revoked"


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("api-keys", {"name": "k", "scopes": ["*"]}),
        ("api-keys", {"name": "k", "scopes": ["audit:read"]}),
        ("api-keys", {"name": "k"}),
        ("roles", {"name": "r", "slug": "r", "permissions": ["*:*"]}),
        ("roles", {"name": "r", "slug": "r", "permissions": ["agents:write"]}),
    ],
    ids=str,
)
def test_users_cannot_grant_scopes_they_lack(address, body, api_client):
    client = api_client(scopes=["api-keys:write", "roles:write", "agents:read"])

    response = post(client, f"/api/v1/{address}/", body)

    assert response.status_code == 403
    assert response.json()["code"] == "beyond_own_rights"


def test_analyst_cannot_raise_their_own_role(api_client, tenant):
    with tenant_scope(tenant, actor="system:test"):
        person = UserFactory()
        seat = MembershipFactory(user=person, role="analyst", permissions=["members:write"])
    from django.test import Client as Browser

    browser = Browser()
    browser.force_login(person)

    response = browser.patch(f"/api/v1/members/{seat.pk}/", {"role": "admin"}, content_type=JSON)

    assert response.json()["code"] == "beyond_own_rights"


def test_last_administrator_stays(api_client):
    client = api_client()
    with tenant_scope(client.key.tenant_id):
        seat = Membership.objects.get(user_id=client.key.user_id)
    address = f"/api/v1/members/{seat.pk}/"

    for response in (
        patch(client, address, {"role": "viewer"}),
        patch(client, address, {"status": "inactive"}),
    ):
        assert (response.status_code, response.json()["code"]) == (409, "last_administrator")
    assert client.delete(address).status_code == 409


def test_role_assignment_of_a_foreign_person_is_refused(api_client):
    client = api_client()
    role = in_tenant(client, RoleFactory)
    outsider = UserFactory()

    response = post(client, "/api/v1/role-assignments/", {"user": str(outsider.pk), "role": str(role.pk)})

    assert response.json()["errors"][0] == {
        "pointer": "/user",
        "code": "does_not_exist",
        "detail": "This object does not exist.",
    }


def test_own_tenant_exposes_only_its_profile(api_client, tenant):
    client = api_client()

    refused = patch(client, "/api/v1/tenant/", {"name": "New", "max_agents": 9, "status": "deleted"})
    body = patch(client, "/api/v1/tenant/", {"name": "New", "max_agents": None, "status": "active"}).json()

    assert [error["pointer"] for error in refused.json()["errors"]] == ["/max_agents", "/status"]
    assert (body["id"], body["name"], body["max_agents"]) == (str(tenant.pk), "New", None)
    assert client.get("/api/v1/tenant/").json()["name"] == "New"


def test_review_of_a_security_event_is_recorded_once(api_client):
    client = api_client()
    event = in_tenant(client, SecurityAuditLogFactory, tenant_id=client.key.tenant_id, requires_review=True)

    first = post(client, f"/api/v1/security-logs/{event.pk}/review/").json()
    second = post(client, f"/api/v1/security-logs/{event.pk}/review/").json()

    assert first["reviewed_by"] == str(client.key.user_id)
    assert first == second


def test_feedback_changes_only_the_authors_feedback(api_client):
    client = api_client("user")
    own = in_tenant(client, RagQueryFactory, user_id=client.key.user_id)
    with tenant_scope(client.key.tenant_id, actor="system:test"):
        other = RagQueryFactory(user_id=UserFactory().pk)

    body = patch(client, f"/api/v1/rag-queries/{own.pk}/", {"user_feedback": "helpful"}).json()

    assert (body["user_feedback"], body["query_text"]) == ("helpful", own.query_text)
    assert patch(client, f"/api/v1/rag-queries/{other.pk}/", {"user_feedback": "helpful"}).status_code == 404


def test_expand_shows_the_object_beside_the_id(api_client):
    client = api_client()
    integration = post(
        client,
        "/api/v1/integrations/",
        {"name": "i", "platform": "openai", "credentials": {"api_key": "sk-x"}},
    ).json()
    make_agent(client, integration=integration["id"])

    (row,) = client.get(f"{AGENTS}?expand=integration&fields=name,integration").json()["results"]

    assert row == {"name": "n", "integration": integration["id"], "expanded": {"integration": integration}}


def test_embedding_model_is_fixed_when_chunks_exist(api_client):
    client = api_client()
    collection = in_tenant(client, CollectionFactory, chunk_count=3)

    response = patch(client, f"/api/v1/collections/{collection.pk}/", {"embedding_model": "other"})

    assert response.json()["errors"][0]["code"] == "has_chunks"


def test_agents_of_other_users_cannot_be_changed(api_client, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        agent = AgentFactory()
    client = api_client()

    for response in (
        patch(client, f"{AGENTS}{agent.pk}/", {"name": "x"}),
        client.delete(f"{AGENTS}{agent.pk}/"),
        post(client, f"{AGENTS}{agent.pk}/publish/"),
    ):
        assert response.status_code == 404


def test_only_administrators_see_keys_of_colleagues(api_client):
    client = api_client(scopes=["api-keys:*", "agents:read"])
    colleague = in_tenant(client, MembershipFactory, user=UserFactory())

    body = {"name": "k", "scopes": ["agents:read"], "user": str(colleague.user_id)}

    assert post(client, "/api/v1/api-keys/", body).json()["code"] == "not_own_key"
    with tenant_scope(client.key.tenant_id):
        assert not ApiKey.objects.filter(user_id=colleague.user_id).exists()


@pytest.mark.security("local exposure")
def test_etags_do_not_reveal_transaction_ids(api_client, attacks):
    client = api_client()
    rows = [
        client.post(AGENTS, {"name": name, "slug": name}, content_type="application/json") for name in "ab"
    ]
    with tenant_scope(client.key.tenant_id), connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text FROM agents_agent UNION SELECT pg_current_xact_id()::text")
        numbers = {row[0] for row in cursor.fetchall()}
    for row in rows:
        # Hexadecimal digits may contain a number by chance, so whole parts are compared.
        parts = re.findall(r"\w+", row["ETag"])
        attacks.attempt(row["ETag"], succeeded=not numbers.isdisjoint(parts))
    assert rows[0]["ETag"] != rows[1]["ETag"]


@pytest.mark.security("local exposure", mutation=True)
def test_without_the_hash_etags_reveal_transaction_ids(api_client, monkeypatch, attacks):
    monkeypatch.setattr("config.api.etags._hash_version", lambda identifier, version: version)
    response = api_client().post(AGENTS, {"name": "a", "slug": "a"}, content_type="application/json")
    attacks.attempt(response["ETag"], succeeded=response["ETag"].strip('"').isdecimal())
