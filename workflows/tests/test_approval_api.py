"""Approvals in the API: inbox, decision and delegation."""

import pytest

from config.testing.fixtures import add_member
from workflows.tests.approval_steps import FORM, answer, ask, read

JSON = {"content_type": "application/json"}


def post(client, approval, body, action="decide"):
    return client.post(f"/api/v1/approvals/{approval.pk}/{action}/", body, **JSON)


@pytest.fixture
def person(api_client):
    client = api_client("user")
    client.user, client.user_id = client.key.user, client.key.user_id
    return client


def test_the_inbox_lists_what_waits_for_the_caller(tenant, member, person):
    mine, done = ask(tenant, person, prompt="Mine"), ask(tenant, person, member, required=2)
    ask(tenant, member)
    answer(done, person)
    found = person.get("/api/v1/approvals/?mine=true&status=pending").json()["results"]
    everything = person.get("/api/v1/approvals/?mine=false").json()["results"]

    assert [each["id"] for each in found] == [str(mine.pk)]
    assert len(everything) == 3
    assert person.get("/api/v1/approvals/?mine=yes").status_code == 400
    assert person.get(f"/api/v1/approvals/{mine.pk}/?mine=true").status_code == 400


def test_a_decision_answers_with_the_approval(tenant, person):
    approval = ask(tenant, person, form=FORM)
    body = {"decision": "approved", "comment": "Good", "values": {"title": "News"}}
    response = post(person, approval, body)

    assert response.status_code == 200
    found = response.json()
    assert (found["status"], found["values"]) == ("approved", {"title": "News"})
    (row,) = person.get(f"/api/v1/approval-decisions/?approval={approval.pk}").json()["results"]
    assert (row["user"], row["decision"], row["channel"]) == (str(person.user_id), "approved", "api")


def test_errors_of_values_name_their_field(tenant, person):
    approval = ask(tenant, person, form=FORM)
    response = post(person, approval, {"decision": "approved", "values": {"copies": 0}})

    assert response.status_code == 400
    pointers = {each["pointer"]: each["detail"] for each in response.json()["errors"]}
    assert pointers["/values/title"] == "This field is required."
    assert set(pointers) == {"/values/title", "/values/copies"}
    assert read(approval).status == "pending"


def test_a_closed_approval_conflicts(tenant, person):
    approval = ask(tenant, person)
    first = post(person, approval, {"decision": "rejected"})
    second = post(person, approval, {"decision": "approved"})

    assert (first.status_code, second.status_code, second.json()["code"]) == (200, 409, "approval_closed")


def test_a_member_delegates(tenant, person, api_client):
    approval = ask(tenant, person)
    deputy = add_member(tenant, "viewer")
    response = post(person, approval, {"user": str(deputy.user_id)}, "delegate")

    assert response.status_code == 200
    assert response.json()["delegated_by"] == str(person.user_id)
    assert post(person, approval, {"decision": "approved"}).status_code == 403
    again = post(person, approval, {"user": str(deputy.user_id)}, "delegate")
    assert again.status_code == 403


def test_only_members_can_be_delegates(tenant, other_tenant, person):
    approval = ask(tenant, person)
    outsider = add_member(other_tenant)
    response = post(person, approval, {"user": str(outsider.user_id)}, "delegate")

    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/user")


def test_a_key_without_execute_cannot_decide(tenant, api_client):
    client = api_client("user", scopes=["workflows:read"])
    approval = ask(tenant, client.key)

    assert post(client, approval, {"decision": "approved"}).status_code == 403
    assert read(approval).status == "pending"
