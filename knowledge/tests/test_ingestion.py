import pytest
from django.core.management import CommandError, call_command

from config.tenancy.scope import tenant_scope
from knowledge.models import Chunk, ChunkVector384, Collection, Document
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion
from tenants.models import OutboxEvent

ACTOR = "system:test"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.md").write_text("# Tides\n\nHigh water follows the moon.\n")
    (tmp_path / "b.txt").write_text("Rivers run to the sea.")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing else")
    return tmp_path


@pytest.fixture
def ingestion(tenant):
    with tenant_scope(tenant, actor=ACTOR):
        collection, _ = get_or_create_collection("sea")
    return Ingestion(tenant.pk, collection, ACTOR)


def outcomes(ingestion, folder):
    return {result.source: result.outcome for result in ingestion.run(ingestion.files(folder))}


def test_files_become_documents_with_chunks_and_vectors(ingestion, folder, tenant):
    assert outcomes(ingestion, folder) == {"a.md": "indexed", "b.txt": "indexed", "broken.pdf": "failed"}
    with tenant_scope(tenant):
        assert Document.objects.filter(status="indexed").count() == 2
        assert Chunk.objects.count() == ChunkVector384.objects.count() == 2
        collection = Collection.objects.get()
        assert (collection.document_count, collection.chunk_count) == (2, 2)
        assert OutboxEvent.objects.filter(type="document.indexed", data__chunk_count=1).count() == 2


def test_a_file_that_cannot_be_parsed_is_recorded_with_its_error(ingestion, folder, tenant):
    outcomes(ingestion, folder)
    with tenant_scope(tenant):
        failed = Document.objects.get(source="broken.pdf")
        assert failed.status == "failed"
        assert "broken.pdf" in failed.error_message


def test_unchanged_files_are_skipped_and_changed_files_replaced(ingestion, folder, tenant):
    outcomes(ingestion, folder)
    (folder / "b.txt").write_text("Rivers run to the lake.")
    again = outcomes(ingestion, folder)
    assert (again["a.md"], again["b.txt"]) == ("unchanged", "indexed")
    with tenant_scope(tenant):
        contents = Chunk.objects.filter(document__source="b.txt").values_list("content", flat=True)
        assert list(contents) == ["Rivers run to the lake."]


def test_interrupted_run_resumes_without_duplicates(ingestion, folder, tenant):
    run = ingestion.run(ingestion.files(folder))
    assert next(run).outcome == "indexed"
    run.close()
    assert outcomes(ingestion, folder)["a.md"] == "unchanged"
    with tenant_scope(tenant):
        assert Document.objects.count() == 3
        assert Chunk.objects.count() == 2


def test_results_keep_the_order_of_the_files(ingestion, folder):
    next(ingestion.run([(folder / "b.txt", "b.txt")]))
    files = [(folder / name, name) for name in ("broken.pdf", "a.md", "missing.txt", "b.txt")]
    results = [(each.source, each.outcome) for each in ingestion.run(files)]
    assert results == [
        ("broken.pdf", "failed"),
        ("a.md", "indexed"),
        ("missing.txt", "failed"),
        ("b.txt", "unchanged"),
    ]


def test_next_file_is_parsed_before_the_previous_one_is_stored(ingestion, folder, tenant):
    next(ingestion.run(ingestion.files(folder)))
    with tenant_scope(tenant):
        statuses = dict(Document.objects.values_list("source", "status"))
    assert statuses == {"a.md": "indexed", "b.txt": "processing"}


def test_repaired_file_is_indexed_at_the_next_run(ingestion, folder, tenant):
    outcomes(ingestion, folder)
    (folder / "broken.pdf").unlink()
    (folder / "broken.txt").write_text("Mended.")
    assert outcomes(ingestion, folder)["broken.txt"] == "indexed"


@pytest.mark.parametrize("arguments", [["--tenant", "nobody"], ["--tenant", "{tenant}", "missing"]])
def test_command_reports_errors(arguments, tenant, tmp_path):
    path = tmp_path / "missing" if "missing" in arguments else tmp_path
    slug = tenant.slug if "{tenant}" in arguments else "nobody"
    with pytest.raises(CommandError, match=r"Tenant .* does not exist|no such file"):
        call_command("ingest", str(path), tenant=slug, collection="sea", verbosity=0)


def test_a_suspended_tenant_is_refused(tenant, folder):
    from config.tenancy.scope import platform_scope

    with platform_scope(reason="suspend for a test"):
        tenant.status = "suspended"
        tenant.save()
    with pytest.raises(CommandError, match="suspended"):
        call_command("ingest", str(folder), tenant=tenant.slug, collection="sea", verbosity=0)


def test_chunks_are_audited_without_their_text(ingestion, folder, tenant):
    from audit.models import AuditLog

    outcomes(ingestion, folder)
    with tenant_scope(tenant):
        rows = AuditLog.objects.filter(resource_type="knowledge.chunk", action="chunk.created")
        assert rows.count() == 2
        assert all("content" not in row.new_values for row in rows)
