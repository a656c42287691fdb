"""Folders with files of every format, indexed by the `ingest` command."""

from io import StringIO

import pytest
from django.core.management import call_command

from config.tenancy.scope import tenant_scope
from knowledge.models import Chunk, Collection, Document
from knowledge.services.ingestion import index_document
from knowledge.services.search import search
from knowledge.tests.sample_files import REAL
from knowledge.tests.test_formats import FILES, KNOWN

ACTOR = "system:test"


def ingest(tmp_path, tenant, **options):
    said = StringIO()
    call_command(
        "ingest", str(tmp_path), tenant=tenant.slug, collection="sea", verbosity=0, stdout=said, **options
    )
    return said.getvalue()


@pytest.fixture
def folder(tmp_path):
    for name, make in FILES.items():
        (tmp_path / name).write_bytes(make())
    return tmp_path


def test_known_sentence_is_found_in_every_format(folder, tenant):
    assert ingest(folder, tenant).startswith(f"{len(FILES)} indexed, 0 unchanged, 0 failed")
    assert ingest(folder, tenant).startswith(f"0 indexed, {len(FILES)} unchanged, 0 failed")
    with tenant_scope(tenant, actor=ACTOR):
        found = search("What does high water follow?", [Collection.objects.get()], limit=50)
    assert {passage.source for passage in found if KNOWN in passage.text} == set(FILES)


@pytest.mark.parametrize("queued", [False, True], ids=["by the command", "by the worker"])
def test_real_files_of_every_format_are_found_by_their_content(tmp_path, tenant, queued):
    for name, (make, _, _) in REAL.items():
        (tmp_path / name).write_bytes(make())
    said = ingest(tmp_path, tenant, queue=queued)
    if queued:
        with tenant_scope(tenant):
            waiting = list(Document.objects.values_list("pk", flat=True))
        said = f"{sum(index_document(tenant.pk, pk).outcome == 'indexed' for pk in waiting)} indexed"
    assert f"{len(REAL)} indexed" in said
    with tenant_scope(tenant, actor=ACTOR):
        best = {name: search(asked, [Collection.objects.get()])[0] for name, (_, asked, _) in REAL.items()}
        assert {name: passage.source for name, passage in best.items()} == {name: name for name in REAL}
        assert [name for name, (_, _, known) in REAL.items() if known not in best[name].text] == []
        assert not Chunk.objects.filter(content__contains="Hidden figures").exists()


def test_folder_can_be_queued_for_the_worker(folder, tenant):
    assert ingest(folder, tenant, queue=True).startswith(f"{len(FILES)} queued, 0 indexed")
    with tenant_scope(tenant):
        assert set(Document.objects.values_list("status", flat=True)) == {"pending"}
