"""Attacks on approvals: of other people, of other tenants, with links of others."""

import pytest
from django.db import DatabaseError, connection, transaction

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from workflows.services import approval_links, approvals
from workflows.services.approval_links import find_link, make_token
from workflows.services.approvals import NotApproverError
from workflows.tests.approval_steps import answer, ask, count_decisions, read
from workflows.tests.test_approval_links import APPROVE, link_for

JSON = {"content_type": "application/json"}


def decide(client, approval):
    return client.post(f"/api/v1/approvals/{approval.pk}/decide/", {"decision": "approved"}, **JSON)


@pytest.mark.security("approval of others")
def test_colleagues_cannot_decide_or_delegate(tenant, member, api_client, attacks):
    approval = ask(tenant, member)
    for role in ("admin", "analyst", "user", "viewer", "guest"):
        client = api_client(role)
        body = {"user": str(client.key.user_id)}
        decide(client, approval)
        client.post(f"/api/v1/approvals/{approval.pk}/delegate/", body, **JSON)
        attacks.attempt(succeeded=read(approval).status != "pending")
        with tenant_scope(tenant, user=client.key.user_id), pytest.raises(NotApproverError):
            approvals.delegate(approval.pk, user_id=client.key.user_id, to_user_id=client.key.user_id)
        attacks.attempt(succeeded=count_decisions(approval) > 0)


@pytest.mark.security("approval of others", mutation=True)
def test_a_decision_without_the_check_succeeds(tenant, member, api_client, attacks, monkeypatch):
    monkeypatch.setattr(approvals, "may_decide", lambda approval, user_id: True)
    approval = ask(tenant, member)
    decide(api_client("user"), approval)
    attacks.attempt(succeeded=read(approval).status == "approved")


@pytest.mark.security("approval of others")
def test_people_who_left_cannot_decide(tenant, member, attacks):
    leaving, suspended = add_member(tenant), add_member(tenant)
    approval = ask(tenant, leaving, suspended, roles=["admin"])
    with tenant_scope(tenant, actor="system:test"):
        leaving.delete()
        suspended.status = "suspended"
        suspended.save()
    for person in (leaving, suspended):
        with pytest.raises(NotApproverError):
            answer(approval, person)
        attacks.attempt(succeeded=count_decisions(approval) > 0)


@pytest.mark.security("approval of others")
def test_other_tenants_cannot_decide(tenant, other_tenant, member, api_client, attacks):
    approval = ask(tenant, member, roles=["admin"])
    client = api_client("admin", tenant=other_tenant)
    attacks.attempt(succeeded=decide(client, approval).status_code != 404)
    attacks.attempt(succeeded=client.get(f"/api/v1/approvals/{approval.pk}/").status_code != 404)
    with tenant_scope(other_tenant, user=client.key.user_id), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM workflows_approval WHERE id = %s", [approval.pk])
        attacks.attempt(succeeded=cursor.fetchone() != (0,))
    attacks.attempt(succeeded=read(approval).status != "pending")


@pytest.mark.security("approval link")
def test_a_link_works_once(client, tenant, member, attacks):
    approval = ask(tenant, member, add_member(tenant), required=2)
    first, second = link_for(approval, member), link_for(approval, member)
    assert client.post(first, APPROVE).status_code == 200
    for url in (first, second):
        attacks.attempt(succeeded=client.post(url, {"decision": "rejected"}).status_code == 200)

    assert (read(approval).status, count_decisions(approval)) == ("pending", 1)


@pytest.mark.security("approval link", mutation=True)
def test_a_digest_that_ignores_the_token_is_detected(tenant, member, attacks, monkeypatch):
    monkeypatch.setattr(approval_links, "digest_token", lambda token: bytes(32))
    link_for(ask(tenant, member), member)
    attacks.attempt(succeeded=find_link(make_token()) is not None)


@pytest.mark.security("approval link")
def test_forged_links_find_nothing(tenant, member, attacks):
    token = link_for(ask(tenant, member), member).split("/")[2]
    for forged in (token[:-1], token + "a", token.swapcase(), make_token(), "' OR true --", ""):
        attacks.attempt(succeeded=find_link(forged) is not None)
    with tenant_scope(tenant, user=member.user):
        attacks.attempt(succeeded=_reads_links_in_a_tenant())


def _reads_links_in_a_tenant():
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM conclave_approval_link(%s)", [b"x" * 32])
    except DatabaseError:
        return False
    return True
