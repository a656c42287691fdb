"""Connectors: requests, deletions, interrupted syncs, schedule, API, console and command."""

import subprocess
import sys
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from audit.models import AuditLog
from config.tenancy.scope import tenant_scope
from config.testing.web_server import BASE_DIR, build_environment
from knowledge import tasks
from knowledge.models import Connector, Document
from knowledge.services.connectors import delete_connector, queue_due_syncs, request_sync
from knowledge.services.documents import upload_document
from knowledge.services.files import store_file
from knowledge.tests.factories import CollectionFactory, ConnectorFactory, DocumentFactory
from knowledge.tests.sites import build_page
from tenants.tests.factories import TenantQuotaFactory

ACTOR = "system:test"
FAST = {"delay_seconds": 0}
PATH = "/api/v1/connectors/"


def fill(site, number):
    names = [f"/page{each}" for each in range(number)]
    site.pages = {name: build_page(name) for name in names} | {"/": build_page("Index", *names)}


@pytest.fixture
def web(site, connect):
    """A website with an index and 12 pages, synced once."""
    fill(site, 12)
    runner = connect("website", {"url": site.url, **FAST})
    assert runner.sync() == ("completed", 13, 0, 0, 0, 0)
    return runner


def test_large_deletion_needs_confirmation(site, web):
    fill(site, 2)
    assert web.sync() == ("partial", 0, 1, 0, 2, 0)
    assert web.error().startswith("The source no longer has 10 of 13 documents. They were not deleted.")
    assert web.sync(confirm_deletions=True) == ("completed", 0, 0, 10, 3, 0)
    assert len(web.documents()) == 3


def test_empty_listing_deletes_nothing_without_confirmation(site, connect):
    site.pages = {"/": build_page("Index")}
    web = connect("website", {"url": site.url, **FAST})
    web.sync()
    site.pages["/"] = b'<meta name="robots" content="noindex">'
    assert web.sync() == ("partial", 0, 0, 0, 0, 0)
    assert len(web.documents()) == 1
    assert web.sync(confirm_deletions=True) == ("completed", 0, 0, 1, 0, 0)


def test_document_of_a_user_is_not_replaced(site, connect, tenant):
    site.pages = {"/": build_page("Index")}
    with tenant_scope(tenant, actor=ACTOR):
        collection = CollectionFactory()
        stored = store_file([b"mine"], tenant_id=tenant.pk, name="a.txt")
        mine = upload_document(collection, stored, source=f"{site.url}/").document
    web = connect("website", {"url": site.url, **FAST}, collection=collection)
    assert web.sync() == ("completed", 0, 0, 0, 0, 1)
    with tenant_scope(tenant):
        assert Document.objects.get().checksum == mine.checksum


@pytest.mark.parametrize("is_kept", [True, False])
def test_documents_of_a_deleted_connector(site, web, connect, is_kept):
    collection = web.connector.collection
    with tenant_scope(web.tenant, actor=ACTOR):
        delete_connector(web.connector, delete_documents=not is_kept)
        assert Document.objects.count() == (13 if is_kept else 0)
    again = connect("website", {"url": site.url, **FAST}, collection=collection)
    assert again.sync() == ("completed", 0 if is_kept else 13, 0, 0, 13 if is_kept else 0, 0)
    assert len(again.documents()) == 13


def test_sync_of_a_deleted_connector_stops(site, web):
    with tenant_scope(web.tenant, actor=ACTOR):
        delete_connector(web.load())
    from knowledge.services.connector_sync import sync_connector

    assert sync_connector(web.tenant.pk, web.connector.pk) is None


def test_archived_collection_is_not_synced(web):
    with tenant_scope(web.tenant, actor=ACTOR):
        web.connector.collection.status = "archived"
        web.connector.collection.save()
    assert web.sync()[0] == "failed"
    assert web.error() == "The collection is archived. Restore it first."


def test_changed_address_clears_the_credentials(scope):
    connector = ConnectorFactory(
        kind="git", config={"url": "https://a.example/x.tar.gz"}, credentials={"token": "t"}
    )
    connector = Connector.objects.get(pk=connector.pk)
    connector.config = {"url": "https://a.example/x.tar.gz", "include_paths": ["docs/"]}
    connector.save()
    assert Connector.objects.get(pk=connector.pk).credentials == {"token": "t"}
    connector.config = {"url": "https://b.example/x.tar.gz"}
    connector.save()
    assert Connector.objects.get(pk=connector.pk).credentials is None


def jobs():
    return ProcrastinateJob.objects.filter(task_name="knowledge.tasks.sync_connector")


def run_job(tenant, attempts=0):
    """Run the queued job of a sync."""
    with tenant_scope(tenant):
        arguments = jobs().get().args
    context = SimpleNamespace(job=SimpleNamespace(attempts=attempts))
    tasks.sync_connector.func.__wrapped__(context, **arguments)


def test_job_runs_the_sync(site, web):
    fill(site, 2)
    with tenant_scope(web.tenant, actor=ACTOR):
        request_sync(web.load(), confirm_deletions=True)
    run_job(web.tenant)
    assert (web.load().status, len(web.documents())) == ("completed", 3)


def test_job_fails_after_five_attempts_without_storage(site, connect, settings):
    fill(site, 1)
    web = connect("website", {"url": site.url, **FAST})
    broken = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": "/dev/null/x"},
    }
    settings.STORAGES = settings.STORAGES | {"default": broken}
    with tenant_scope(web.tenant, actor=ACTOR):
        request_sync(web.connector)
    with pytest.raises(OSError, match="dev/null"):
        run_job(web.tenant)
    assert web.load().status == "running"
    with pytest.raises(OSError, match="dev/null"):
        run_job(web.tenant, attempts=4)
    assert web.load().status == "failed"
    assert web.error() == "The sync failed: the database or the file storage is unavailable."


def test_document_limit_of_the_organisation_stops_the_sync(site, connect, tenant):
    fill(site, 3)
    with tenant_scope(tenant, actor=ACTOR):
        TenantQuotaFactory(resource="documents", period="total", limit_value=2, is_hard=True)
    web = connect("website", {"url": site.url, **FAST})
    assert web.sync() == ("failed", 2, 0, 0, 0, 0)
    assert web.error().startswith("The limit of the organisation is reached.")


def test_due_connectors_are_queued_once(tenant):
    with tenant_scope(tenant, actor=ACTOR):
        now = timezone.now()
        due = ConnectorFactory(started_at=now - timedelta(hours=2))
        ConnectorFactory(started_at=now - timedelta(minutes=5))
        ConnectorFactory(is_active=False)
        ConnectorFactory(interval_minutes=0)
        ConnectorFactory(collection=CollectionFactory(status="archived"))
    assert (queue_due_syncs(), queue_due_syncs()) == (1, 0)
    with tenant_scope(tenant):
        assert [(job.args["connector_id"], job.priority) for job in jobs()] == [(str(due.pk), -10)]


def test_sync_whose_job_is_lost_fails(tenant, monkeypatch):
    with tenant_scope(tenant, actor=ACTOR):
        lost = ConnectorFactory(status="running", interval_minutes=0)
        waiting = request_sync(ConnectorFactory())
    monkeypatch.setattr("knowledge.services.connectors.LOST_AFTER", timedelta(0))
    queue_due_syncs()
    with tenant_scope(tenant):
        states = dict(Connector.objects.values_list("pk", "status"))
    assert states == {lost.pk: "failed", waiting.pk: "queued"}


KILLED = """
import sys, django
django.setup()
from config.testing.crash_worker import install_kill_point
from knowledge.services.connector_sync import sync_connector
install_kill_point("before knowledge.services.connector_sync:upload_document 6")
sync_connector(*sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.unmeasured
def test_killed_sync_resumes(site, connect, transactional_db, settings, tmp_path):
    disk = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"default": disk}
    fill(site, 12)
    web = connect("website", {"url": site.url, **FAST})
    networks = {"FETCH_NETWORKS": "127.0.0.1/32", "FETCH_PORTS": str(site.port), "MEDIA_ROOT": str(tmp_path)}
    command = [sys.executable, "-c", KILLED, str(web.tenant.pk), str(web.connector.pk)]
    killed = subprocess.run(command, env=build_environment(**networks), cwd=BASE_DIR, check=False)
    assert (killed.returncode, len(web.documents()), web.load().status) == (-9, 5, "running")
    site.log.clear()
    assert web.sync() == ("completed", 8, 0, 0, 5, 0)
    assert sum(status == 304 for _, status in site.log) == 5


def test_api_adds_a_connector_and_queues_its_sync(api_client, tenant):
    client = api_client("analyst")
    with tenant_scope(tenant, user=client.key.user):
        collection = CollectionFactory()
    body = {
        "collection": collection.pk,
        "name": "Docs",
        "kind": "website",
        "config": {"url": "https://example.org/"},
    }
    made = client.post(PATH, body, content_type="application/json")
    path = f"{PATH}{made.json()['id']}/"
    queued = client.post(f"{path}sync/", {}, content_type="application/json")
    again = client.post(f"{path}sync/", {"confirm_deletions": True}, content_type="application/json")
    assert (made.status_code, queued.json()["status"], again.status_code) == (201, "queued", 200)
    with tenant_scope(tenant):
        assert [job.args["confirm_deletions"] for job in jobs()] == [False]


@pytest.mark.parametrize(
    ("kind", "config", "error"),
    [
        ("website", {}, "url: Field required."),
        ("website", {"url": "https://example.org", "depth": 1}, "depth: Extra inputs are not permitted."),
        ("website", {"url": "ftp://example.org"}, "url: Only http:// and https:// URLs are supported."),
        (
            "website",
            {"url": "http://u:p@example.org"},
            "url: The URL must not contain a user name or password.",
        ),
        ("git", {"url": "https://example.org/a", "path": "a"}, "path: Enter either path or url."),
        ("folder", {"path": "a"}, "path: The operator has not enabled server folders (CONNECTORS_ROOT)."),
        ("s3", {"endpoint": "https://s3.example", "bucket": "A/b"}, "bucket: Enter a bucket name"),
        ("imap", {"host": "mail.example", "port": 25}, "port: Port 25 is not allowed."),
    ],
)
def test_api_refuses_an_invalid_configuration(api_client, tenant, kind, config, error):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        collection = CollectionFactory()
    body = {"collection": collection.pk, "name": "Docs", "kind": kind, "config": config}
    refused = client.post(PATH, body, content_type="application/json")
    assert refused.status_code == 400
    assert error in refused.content.decode()


def test_credentials_are_never_shown(api_client, tenant):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        collection = CollectionFactory()
    body = {
        "collection": collection.pk,
        "name": "Mail",
        "kind": "imap",
        "config": {"host": "mail.example"},
        "credentials": {"username": "u", "password": "hush-hush"},
    }
    made = client.post(PATH, body, content_type="application/json")
    wrong = body | {"name": "Other", "credentials": {"password": ["hush-hush"]}}
    refused = client.post(PATH, wrong, content_type="application/json")
    assert (made.status_code, refused.status_code) == (201, 400)
    with tenant_scope(tenant):
        audited = str(list(AuditLog.objects.values()))
    assert "Mail" in audited
    assert "hush-hush" not in audited + made.content.decode() + refused.content.decode()


def test_kind_and_collection_of_documents_cannot_be_changed(api_client, tenant):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        connector, other = ConnectorFactory(), CollectionFactory()
        DocumentFactory(collection=connector.collection, connector=connector)
    path = f"{PATH}{connector.pk}/"
    moved = client.patch(path, {"collection": other.pk}, content_type="application/json")
    changed = client.patch(path, {"kind": "rss"}, content_type="application/json")
    mixed = client.patch(path, {"kind": "imap"}, content_type="application/json")
    renamed = client.patch(path, {"name": "New", "kind": "website"}, content_type="application/json")
    assert [each.status_code for each in (moved, changed, mixed, renamed)] == [400, 400, 400, 200]


def test_api_deletes_the_documents_on_request(api_client, web):
    client = api_client()
    path = f"{PATH}{web.connector.pk}/"
    refused = client.delete(f"{path}?documents=burn")
    deleted = client.delete(f"{path}?documents=delete")
    assert (refused.status_code, deleted.status_code) == (400, 204)
    with tenant_scope(web.tenant):
        assert Document.objects.count() == 0


def test_viewer_cannot_sync(api_client, tenant):
    client = api_client("viewer")
    with tenant_scope(tenant, actor=ACTOR):
        connector = ConnectorFactory()
    assert client.post(f"{PATH}{connector.pk}/sync/", {}, content_type="application/json").status_code == 403


def test_console_queues_a_sync(admin_client, tenant):
    with tenant_scope(tenant, actor=ACTOR):
        connector = ConnectorFactory()
    data = {"action": "sync_now", "_selected_action": [str(connector.pk)]}
    response = admin_client.post("/console/knowledge/connector/", data, follow=True)
    assert "Syncs are queued." in response.content.decode()
    with tenant_scope(tenant):
        assert Connector.objects.get().status == "queued"


def test_command_lists_and_queues(tenant):
    with tenant_scope(tenant, actor=ACTOR):
        connector = ConnectorFactory(name="Docs")
    out = StringIO()
    call_command("connectors", "sync", connector.pk, tenant=tenant.slug, stdout=out)
    call_command("connectors", "list", tenant=tenant.slug, stdout=out)
    assert out.getvalue().splitlines() == [
        'Queued the sync of "Docs".',
        f"{connector.pk}  website  queued     0 added, 0 changed, 0 deleted, 0 unchanged, 0 failed  Docs",
    ]


def test_command_refuses_an_unknown_connector(tenant):
    with pytest.raises(CommandError, match="no connector"):
        call_command("connectors", "sync", "Nothing", tenant=tenant.slug)


def test_end_of_a_sync_is_audited(web):
    with tenant_scope(web.tenant):
        row = AuditLog.objects.get(action="connector.synced")
    assert (row.resource_id, row.actor, row.metadata["added_count"]) == (
        str(web.connector.pk),
        "system:connectors",
        13,
    )
