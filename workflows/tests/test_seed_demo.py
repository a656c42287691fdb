import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from agents.models import Agent, AgentTemplate, McpServer
from config.tenancy.scope import tenant_scope
from knowledge.models import Document, Term
from tenants.models import BillingRecord, Subscription, Tenant
from workflows.models import Approval, WorkflowExecution
from workflows.testing import run_lanes


@pytest.fixture
def seeded(db, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Conclave\n\nConclave isolates tenants by row-level security.")
    settings.BASE_DIR = tmp_path

    def seed():
        call_command("seed_demo", url="http://127.0.0.1:9", verbosity=0, stdout=StringIO())
        return json.loads((tmp_path / "demo.json").read_text())

    return seed


def test_the_demo_can_be_signed_in_to_and_asked(seeded):
    demo = seeded()
    assert set(demo) == {"url", "email", "password", "tenant", "agent", "api_key"}
    assert User.objects.get(email=demo["email"]).check_password(demo["password"])
    client = Client(headers={"authorization": f"Bearer {demo['api_key']}"})
    body = {"agent": demo["agent"], "message": "How does Conclave isolate tenants?"}
    answer = client.post("/api/v1/conversations/", body, content_type="application/json").json()["answer"]
    assert answer["citations"][0]["source"] == "README.md"


def test_there_are_samples_to_look_at(seeded):
    seeded()
    tenant = Tenant.objects.get(slug="demo")
    with tenant_scope(tenant, user=User.objects.get(email="admin@demo.example")):
        assert McpServer.objects.filter(is_public=True).count() == 3
        assert (AgentTemplate.objects.count(), Term.objects.count()) == (3, 5)
        assert Subscription.objects.get().plan.slug == "pro"
        assert BillingRecord.objects.count() == 6


def test_sample_runs_complete_fail_and_wait(seeded):
    seeded()
    tenant = Tenant.objects.get(slug="demo")
    run_lanes(tenant)
    with tenant_scope(tenant, user=User.objects.get(email="admin@demo.example")):
        runs = WorkflowExecution.objects.order_by("id").select_related("workflow")
        assert [(run.workflow.slug, run.status, run.output_data) for run in runs] == [
            ("answer-question", "waiting", None),
            ("convert-price", "completed", {"price": 23.28}),
            ("convert-price", "failed", None),
        ]
        assert runs[2].error_message.startswith("Step convert: ")
        assert Approval.objects.get().prompt.startswith("Is this answer right? ")


def test_only_the_owner_may_read_the_file(seeded, tmp_path):
    seeded()
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600


def test_a_second_time_changes_nothing(seeded):
    assert seeded() == seeded()
    with tenant_scope(Tenant.objects.get(slug="demo")):
        assert (Agent.objects.count(), Document.objects.count()) == (1, 1)
        assert WorkflowExecution.objects.count() == 3


def test_no_password_is_known_beforehand(seeded, tmp_path):
    first = seeded()
    (tmp_path / "demo.json").unlink()
    second = seeded()
    assert first["password"] != second["password"]
    assert first["api_key"] != second["api_key"]
