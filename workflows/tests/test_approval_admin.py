"""Console pages of approvals."""

import pytest
from django.test import Client
from django.urls import reverse

from config.testing.fixtures import add_member
from workflows.tests.approval_steps import FORM, answer, ask, count_decisions, read

INBOX = "/console/workflows/approval/?waiting=me"


def page(approval):
    return reverse("admin:workflows_approval_decide", args=[approval.pk])


@pytest.fixture
def signed_in(tenant):
    def make(person):
        client = Client()
        client.force_login(person.user)
        return client

    return make


def test_the_inbox_lists_what_waits_for_the_user(tenant, member, admin_client):
    ask(tenant, member, prompt="Mine")
    ask(tenant, add_member(tenant), prompt="Theirs")
    text = admin_client.get(INBOX).content.decode()

    assert "Mine" in text
    assert "Theirs" not in text
    assert "Theirs" in admin_client.get("/console/workflows/approval/").content.decode()


def test_a_person_decides_in_the_console(tenant, member, admin_client):
    approval = ask(tenant, member, prompt="<i>Publish</i>", form=FORM)
    assert "&lt;i&gt;Publish&lt;/i&gt;" in admin_client.get(page(approval)).content.decode()
    wrong = admin_client.post(page(approval), {"decision": "approved", "values-title": "ab"})
    assert (wrong.status_code, count_decisions(approval)) == (200, 0)
    done = admin_client.post(
        page(approval), {"decision": "approved", "values-title": "News", "comment": "Fine"}
    )

    assert (done.status_code, done["Location"]) == (302, INBOX)
    assert (read(approval).status, read(approval).values) == ("approved", {"title": "News"})


def test_a_viewer_who_is_asked_decides(tenant, member, signed_in):
    person = add_member(tenant, "viewer")
    approval = ask(tenant, person)

    assert signed_in(person).post(page(approval), {"decision": "rejected"}).status_code == 302
    assert read(approval).status == "rejected"


def test_a_person_delegates_in_the_console(tenant, member, admin_client):
    deputy = add_member(tenant, "viewer")
    approval = ask(tenant, member)
    missing = admin_client.post(page(approval), {"delegate": "1"})
    done = admin_client.post(page(approval), {"delegate": "1", "member": str(deputy.pk)})

    assert (missing.status_code, done.status_code) == (200, 302)
    assert 'value="approved"' not in admin_client.get(page(approval)).content.decode()
    assert admin_client.post(page(approval), {"decision": "approved"}).status_code == 403


def test_colleagues_and_other_tenants_cannot_decide(tenant, other_tenant, member, signed_in):
    approval = ask(tenant, member)
    colleague, outsider = add_member(tenant), add_member(other_tenant)

    assert signed_in(colleague).post(page(approval), {"decision": "approved"}).status_code == 403
    assert signed_in(outsider).post(page(approval), {"decision": "approved"}).status_code == 404
    assert count_decisions(approval) == 0


def test_a_second_decision_is_refused_with_a_message(tenant, member, admin_client):
    approval = ask(tenant, member)
    answer(approval, member)
    response = admin_client.post(page(approval), {"decision": "rejected"}, follow=True)

    assert "The approval is approved." in response.content.decode()
    assert read(approval).status == "approved"
