"""A workflow from its webhook to its last request, with a person who decides in a browser."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.test import Client
from standardwebhooks import Webhook

from agents.choices import HTTP_SERVICE
from agents.testing import say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion
from workflows.models import Workflow, WorkflowExecution
from workflows.services.publishing import publish
from workflows.services.workflow_files import import_workflow
from workflows.testing import run_lanes
from workflows.tests.browser import find_chromium, open_browser
from workflows.tests.runs import reread, states
from workflows.tests.test_agent_steps import model
from workflows.tests.test_examples import EXAMPLES
from workflows.tests.test_http_steps import service

__all__ = ["model", "service"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.unmeasured,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not find_chromium(), reason="No Chromium was found: install it or set CHROMIUM."),
]
TICKET = {"id": 7, "subject": "High water", "text": "When is high water in Emden?"}


@pytest.fixture
def browser(live_server, member):
    """Return a function that calls another one with a browser context signed in as the member.

    All calls run in one thread, because Playwright's event loop and Django's database layer exclude each other.
    """
    client = Client()
    client.force_login(member.user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    with ThreadPoolExecutor(1) as thread:
        opened = open_browser()
        context = thread.submit(opened.__enter__).result(60)
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}
        thread.submit(context.add_cookies, [cookie]).result(10)
        yield lambda call: thread.submit(call, context).result(60)
        thread.submit(opened.__exit__, None, None, None).result(30)


@pytest.fixture
def ticket_workflow(tenant, member, model, service, tmp_path):
    """The published example with a handbook, an agent and a help desk on this machine."""
    server, helpdesk = model(say("High water comes at noon.")), service()
    (tmp_path / "tides.md").write_text("# High water\n\nHigh water comes at noon in Emden.")
    text = (EXAMPLES / "answer-ticket.yaml").read_text()
    with tenant_scope(tenant, user=member.user):
        account = IntegrationFactory(base_url=server.base_url)
        fields = {"model_provider": "openai-compatible", "model_name": "m"}
        AgentFactory(slug="support", integration=account, **fields)
        IntegrationFactory(name="helpdesk", platform=HTTP_SERVICE, base_url=helpdesk.url)
        handbook, _ = get_or_create_collection("handbook")
    ingestion = Ingestion(tenant.pk, handbook, "system:test")
    list(ingestion.run(ingestion.files(tmp_path)))
    with tenant_scope(tenant, user=member.user):
        workflow, _ = import_workflow(
            text.replace("https://helpdesk.example.com", helpdesk.url), slug="answer-ticket"
        )
        publish(workflow)
    return workflow, server, helpdesk


def send_webhook(url, trigger_id, secret):
    """Send a signed webhook as another system does, and return the ID of the run."""
    body, now = json.dumps(TICKET), datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body),
    }
    request = urllib.request.Request(f"{url}/hooks/{trigger_id}", body.encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 202
        return json.load(response)["run_id"]


class RunPage:
    """The page of a run in a browser, and the inbox of approvals; the methods take a browser context."""

    def __init__(self, url, run_id):
        self.url = f"{url}/console/workflows"
        self.run_id, self.page = run_id, None

    def open(self, context):
        """Open the page and return its text."""
        self.page = context.new_page()
        self.page.goto(f"{self.url}/workflowexecution/{self.run_id}/change/")
        # Lost if the page is loaded again.
        self.page.evaluate("window.isFirstLoad = true")
        return self.page.locator("#run").inner_text()

    def approve(self, context):
        """Approve the only approval of the inbox."""
        page = context.new_page()
        page.goto(f"{self.url}/approval/?waiting=me")
        page.locator("a[href$='/decide/']").click()
        page.get_by_text("Send this answer? High water comes at noon.").wait_for()
        page.get_by_role("button", name="Approve").click()
        page.get_by_text("You approved it.").wait_for()

    def follow(self, _context):
        """Wait for the end; return the text, whether the page still asks, and whether it was not loaded again."""
        self.page.locator("#run [role=status]").get_by_text("Completed").wait_for()
        self.page.get_by_role("link", name="Cancel").wait_for(state="detached")
        asks = self.page.locator("#run [hx-trigger]").count()
        return self.page.locator("#run").inner_text(), asks, self.page.evaluate("window.isFirstLoad")


def test_webhook_search_agent_approval_and_request(tenant, member, live_server, browser, ticket_workflow):
    workflow, server, helpdesk = ticket_workflow
    with tenant_scope(tenant, user=member.user):
        trigger = Workflow.objects.get(pk=workflow.pk).triggers.get()
        secret = trigger.secret
    run_id = send_webhook(live_server.url, trigger.pk, secret)
    run_lanes(tenant)
    with tenant_scope(tenant, user=member.user):
        run = WorkflowExecution.objects.get(pk=run_id)
    assert states(run) == {"facts": "completed", "draft": "completed", "check": "waiting"}
    assert "noon in Emden" in server.requests[0].body["messages"][-1]["content"]

    page = RunPage(live_server.url, run_id)
    before = browser(page.open)
    assert "WAITING" in before.upper()
    assert "2 of 4 steps" in before
    browser(page.approve)
    assert helpdesk.requests == []
    run_lanes(tenant)
    shown, asks, is_first_load = browser(page.follow)

    (sent,) = helpdesk.requests
    assert json.loads(sent.body) == {"ticket": 7, "text": "High water comes at noon."}
    assert sent.headers["idempotency-key"].startswith(f"{run_id}:send")
    assert (reread(run).status, reread(run).output_data) == ("completed", {"sent": True})
    assert "4 of 4 steps" in shown
    assert (asks, is_first_load) == (0, True)
    assert browser(lambda context: context.violations) == []
