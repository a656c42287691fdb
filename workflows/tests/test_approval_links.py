"""Links in e-mails with which people decide once."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.tests.factories import UserSettingsFactory
from config.observability.masking import mask
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from workflows.models import ApprovalLink
from workflows.services.approval_links import make_token, send_approval_email
from workflows.tests.approval_steps import FORM, answer, ask, count_decisions, read
from workflows.views import VIEWS_PER_MINUTE

APPROVE = {"decision": "approved"}


def send(approval, person, *, is_reminder=False):
    return send_approval_email(approval.tenant_id, approval.pk, person.user_id, is_reminder=is_reminder)


def read_link():
    return re.search(r"/approvals/\S+", mail.outbox[-1].body)[0]


def link_for(approval, person):
    assert send(approval, person) is True
    return read_link()


def stored_links(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return list(ApprovalLink.objects.order_by("id"))


def test_the_email_contains_the_prompt_and_a_link(tenant, member):
    approval = ask(tenant, member, prompt="Publish <b>this</b>?", expires=timedelta(days=1))
    link_for(approval, member)
    (message,) = mail.outbox
    (link,) = stored_links(tenant)

    assert (message.to, message.subject) == ([member.user.email], f"Your decision ({tenant.name})")
    assert "Publish <b>this</b>?" in message.body
    assert (link.used_at, link.expires_at) == (None, read(approval).expires_at)
    assert read_link().split("/")[2].encode() not in bytes(link.token_digest)
    assert "cvk_approve" not in mask(message.body)


@pytest.mark.parametrize(
    "fields", [{"notifications_enabled": False}, {"notification_preferences": {"email": False}}]
)
def test_people_choose_whether_they_get_emails(tenant, member, fields):
    with tenant_scope(tenant, user=member.user):
        UserSettingsFactory(user=member.user, **fields)

    assert send(ask(tenant, member), member) is False
    assert mail.outbox == []


def test_nobody_is_reminded_after_deciding(tenant, member):
    approval = ask(tenant, member, add_member(tenant), required=2)
    assert send(approval, member, is_reminder=True) is True
    assert mail.outbox[0].subject.startswith("Reminder")
    answer(approval, member)

    assert send(approval, member, is_reminder=True) is False


def test_the_page_shows_and_the_form_decides(client, tenant, member):
    approval = ask(tenant, member, prompt="<i>Publish</i>?", form=FORM)
    url = link_for(approval, member)
    page = client.get(url)
    text = page.content.decode()

    assert (page.status_code, page["Cache-Control"].split(",")[0]) == (200, "max-age=0")
    assert "&lt;i&gt;Publish&lt;/i&gt;?" in text
    assert 'name="values-title"' in text
    done = client.post(url, {"decision": "approved", "comment": "Good", "values-title": "News"})
    assert done.status_code == 200
    row = read(approval)
    assert (row.status, row.values, row.comment) == ("approved", {"title": "News"}, "Good")
    assert row.decided_by_id == member.user_id
    assert client.get(url).status_code == 404


def test_texts_of_a_form_are_escaped(client, tenant, member):
    evil = "<script>alert(1)</script>"
    form = {"type": "object", "properties": {"a": {"type": "string", "title": evil, "description": evil}}}
    url = link_for(ask(tenant, member, form=form), member)

    assert evil not in client.get(url).content.decode()


def test_wrong_values_keep_the_link(client, tenant, member):
    approval = ask(tenant, member, form=FORM | {"minProperties": 2})
    url = link_for(approval, member)

    for values in ({}, {"values-title": "ab"}, {"values-title": "News"}, {"values-copies": "x"}):
        assert client.post(url, APPROVE | values).status_code == 400
    assert client.post(url, {"comment": "no decision"}).status_code == 400
    assert client.post(url, APPROVE | {"values-title": "News", "values-copies": "2"}).status_code == 200


def test_a_rejection_needs_no_values(client, tenant, member):
    approval = ask(tenant, member, form=FORM)

    assert client.post(link_for(approval, member), {"decision": "rejected"}).status_code == 200
    assert read(approval).status == "rejected"


@pytest.mark.security("mail scanner")
def test_scanners_of_emails_change_nothing(client, tenant, member, attacks):
    approval = ask(tenant, member)
    url = link_for(approval, member)
    for method in ("get", "head", "options", "put", "patch", "delete"):
        getattr(client, method)(url, {"decision": "approved"} if method == "get" else None)
        attacks.attempt(succeeded=count_decisions(approval) > 0)

    assert [each.used_at for each in stored_links(tenant)] == [None]
    assert client.post(url, APPROVE).status_code == 200


@pytest.mark.security("mail scanner", mutation=True)
def test_a_page_that_decides_on_get_is_detected(client, tenant, member, attacks, monkeypatch):
    from workflows.views import ApprovalLinkView

    def decide_on_get(view, request, token):
        request.POST = request.GET
        return view.post(request, token)

    monkeypatch.setattr(ApprovalLinkView, "get", decide_on_get)
    approval = ask(tenant, member)
    client.get(link_for(approval, member), APPROVE)
    attacks.attempt(succeeded=count_decisions(approval) > 0)


def test_the_form_needs_a_csrf_token(tenant, member):
    approval = ask(tenant, member)
    url = link_for(approval, member)

    assert Client(enforce_csrf_checks=True).post(url, APPROVE).status_code == 403
    assert read(approval).status == "pending"


def test_useless_links_are_answered_alike(client, tenant, member):
    used, late = (ask(tenant, member, add_member(tenant), required=2) for _ in range(2))
    forged = make_token()[:-1] + "!"
    urls = [f"/approvals/{token}/" for token in ("x", "cvk_approve_x.y", forged, make_token())]
    used_url, late_url, leaving = link_for(used, member), link_for(late, member), add_member(tenant)
    left_url = link_for(ask(tenant, leaving), leaving)
    client.post(used_url, APPROVE)
    with tenant_scope(tenant, actor="system:test"):
        ApprovalLink.objects.filter(approval=late).update(expires_at=timezone.now() - timedelta(hours=1))
        leaving.delete()
    pages = [client.get(url) for url in (*urls, used_url, late_url, left_url)]
    posts = [client.post(url, APPROVE) for url in (*urls, used_url, late_url, left_url)]

    assert {page.status_code for page in (*pages, *posts)} == {404}
    assert len({re.sub(rb'nonce="[^"]+"', b"", page.content) for page in (*pages, *posts)}) == 1
    assert (count_decisions(used), count_decisions(late)) == (1, 0)


def test_guesses_are_limited(client, db):
    for _ in range(VIEWS_PER_MINUTE):
        client.get("/approvals/x/")

    assert client.get("/approvals/x/").status_code == 429
