"""Tests of embedding and similarity search of assets, events and tasks."""

import pytest
from django.db import connection

from config.jobs import defer_once
from config.postgres.logins import OWNER
from config.tenancy.scope import tenant_scope
from config.testing.database import connect
from config.testing.fixtures import add_member
from knowledge.functions import TEXT_SOURCES
from knowledge.models import Embedding
from knowledge.tests.factories import EmbeddingFactory
from workflows.models import Asset, AssetEmbedding, CalendarEvent
from workflows.services.similarity import (
    embed_rows,
    list_stale_tenants,
    similar_assets,
    similar_events,
    similar_tasks,
)
from workflows.tests.factories import AssetFactory, CalendarEventFactory, ProjectMemberFactory, TaskFactory

ACTOR, JSON = "system:test", "application/json"


@pytest.fixture
def rows(tenant, member):
    with tenant_scope(tenant, user=member.user):
        payroll = AssetFactory(asset_name="Payroll database", technology_stack=["oracle"])
        AssetFactory(asset_name="Web shop", technology_stack=["java"])
        review = CalendarEventFactory(summary="Review of the backup plan", description="Restore drill.")
        CalendarEventFactory(summary="Lunch with Ada", description="")
        task = TaskFactory(title="Write the tide report", description="High water and low water.")
    return payroll, review, task


def test_rows_are_embedded_once_and_found(rows, tenant, member):
    assert tenant.pk in list_stale_tenants()
    assert embed_rows(tenant.pk) == 5
    assert embed_rows(tenant.pk) == 0
    assert tenant.pk not in list_stale_tenants()
    with tenant_scope(tenant, user=member.user):
        assert similar_assets("oracle database of the payroll")[0].pk == rows[0].pk
        assert similar_events("When do we review backups?")[0].pk == rows[1].pk
        assert [task.pk for task in similar_tasks("report about tides")] == [rows[2].pk]
        assert "backup" in CalendarEvent.objects.get(pk=rows[1].pk).semantic_keywords


def test_changed_rows_are_embedded_again_and_deleted_rows_leave_no_embedding(rows, tenant, member):
    embed_rows(tenant.pk)
    with tenant_scope(tenant, user=member.user):
        rows[0].asset_name, rows[0].technology_stack = "Lighthouse", ["lamps"]
        rows[0].save()
        rows[1].delete()
        Asset.objects.filter(asset_name="Web shop").delete()
    assert embed_rows(tenant.pk) == 1
    with tenant_scope(tenant, user=member.user):
        assert similar_assets("lamps of a lighthouse")[0].distance < 0.7
        assert (AssetEmbedding.objects.count(), Embedding.objects.count()) == (1, 2)


def test_embedding_a_changed_text_leaves_its_row_unchanged(rows, tenant, member):
    embed_rows(tenant.pk)
    with tenant_scope(tenant, user=member.user):
        rows[2].refresh_from_db()
        rows[2].title = "Paint the lighthouse"
        rows[2].save()
        rows[2].refresh_from_db()
        changed = rows[2].updated_at
    assert (embed_rows(tenant.pk), embed_rows(tenant.pk)) == (1, 0)
    with tenant_scope(tenant, user=member.user):
        rows[2].refresh_from_db()
        assert (rows[2].updated_at, similar_tasks("lighthouse")[0].pk) == (changed, rows[2].pk)


def test_assets_of_others_and_other_projects_are_not_found(rows, tenant, other_tenant, member):
    embed_rows(tenant.pk)
    with tenant_scope(other_tenant, actor=ACTOR):
        assert similar_assets("payroll database") == []
    with tenant_scope(tenant, user=member.user):
        found = similar_assets("payroll database", engagement_id=rows[0].engagement_id)
        assert {asset.engagement_id for asset in found} == {rows[0].engagement_id}


def test_event_texts_are_hidden_among_the_embeddings(rows, tenant, api_client):
    embed_rows(tenant.pk)
    client = api_client()
    assert client.get("/api/v1/embeddings/").json()["results"] == []
    assert not client.post("/api/v1/embeddings/similar/", {"text": "backup"}, content_type=JSON).json()[
        "results"
    ]


def test_texts_of_tasks_and_events_are_visible_with_their_source(rows, tenant, member):
    embed_rows(tenant.pk)
    colleague = add_member(tenant).user
    with tenant_scope(tenant, user=member.user):
        assert Embedding.objects.count() == 3
    with tenant_scope(tenant, user=colleague):
        assert (Embedding.objects.count(), similar_tasks("tides"), similar_events("backups")) == (0, [], [])
    with tenant_scope(tenant, user=member.user):
        ProjectMemberFactory(project_id=rows[2].project_id, user=colleague, access="read")
    with tenant_scope(tenant, user=colleague):
        assert [row.source_id for row in Embedding.objects.all()] == [rows[2].pk]
        assert [task.pk for task in similar_tasks("report about tides")] == [rows[2].pk]


def test_the_migration_finds_the_sources_of_existing_texts(transactional_db, rows, tenant):
    embed_rows(tenant.pk)
    with tenant_scope(tenant, actor=ACTOR):
        Embedding.objects.update(source_id=None, metadata={"of": "workflows.task"})
        EmbeddingFactory(metadata={"of": "workflows.task"})
        reverted = EmbeddingFactory(metadata={"of": "task or event", "source": str(rows[2].pk)})
        kept = EmbeddingFactory(metadata={"source": "handbook"})
    name = connection.settings_dict["NAME"]
    with connect(OWNER, database=name) as database, database.transaction():
        database.execute("SELECT set_config('app.actor', %s, true)", [ACTOR])
        database.execute(TEXT_SOURCES)
    with tenant_scope(tenant, actor=ACTOR):
        sources = {row.source_id for row in Embedding.objects.exclude(pk=kept.pk)}
        assert {rows[1].pk, rows[2].pk} < sources
        assert len(sources) == 3
        reverted.refresh_from_db()
        assert (reverted.source_id, reverted.metadata) == (rows[2].pk, {})
        kept.refresh_from_db()
        assert (kept.source_id, kept.metadata) == (None, {"source": "handbook"})


def test_the_api_defers_one_job_and_finds(rows, tenant, member, api_client, monkeypatch):
    deferred = []
    monkeypatch.setattr(
        "workflows.services.similarity.defer_once",
        lambda task, lock, **given: deferred.append(lock) or defer_once(task, lock, **given),
    )
    client = api_client(user=member.user)
    body = {"summary": "Harbour tour", "description": "By boat."}
    answer = client.patch(f"/api/v1/calendar-events/{rows[1].pk}/", body, content_type=JSON)
    assert answer.status_code == 200
    assert deferred == [f"embed_rows:{tenant.pk}"]
    embed_rows(tenant.pk)
    for path, name, text in (
        ("assets", "asset", "payroll"),
        ("calendar-events", "event", "boat in the harbour"),
    ):
        found = client.post(f"/api/v1/{path}/similar/", {"text": text, "limit": 1}, content_type=JSON).json()
        assert [each[name]["id"] for each in found["results"]] == [str(rows[0 if name == "asset" else 1].pk)]
