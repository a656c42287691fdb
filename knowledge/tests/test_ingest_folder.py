"""A folder of every kind of file by the real command, and files made to hurt by the real worker."""

import sys
from io import StringIO

import pytest
from django.core.management import call_command

from config.tenancy.scope import tenant_scope
from config.testing.processes import run_measured
from config.testing.web_server import BASE_DIR, build_environment
from knowledge.models import Chunk, Collection, Document
from knowledge.services.collections import get_or_create_collection
from knowledge.services.documents import upload_document
from knowledge.services.files import store_file
from knowledge.services.ingestion import index_document
from knowledge.services.search import search
from knowledge.tests.malicious_files import BAD
from knowledge.tests.sample_files import REAL
from knowledge.tests.test_formats import FILES, KNOWN
from tenants.tests.factories import TenantFactory

ACTOR = "system:test"
MOST_MEMORY_KB = 500 * 1024


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


def test_a_known_sentence_of_every_kind_of_file_is_found(folder, tenant):
    assert ingest(folder, tenant).startswith(f"{len(FILES)} indexed, 0 unchanged, 0 failed")
    assert ingest(folder, tenant).startswith(f"0 indexed, {len(FILES)} unchanged, 0 failed")
    with tenant_scope(tenant, actor=ACTOR):
        found = search("What does high water follow?", [Collection.objects.get()], limit=50)
    assert {passage.source for passage in found if KNOWN in passage.text} == set(FILES)


@pytest.mark.parametrize("queued", [False, True], ids=["by the command", "by the worker"])
def test_real_files_of_every_kind_are_found_by_what_they_say(tmp_path, tenant, queued):
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


def test_a_folder_may_be_left_to_the_worker(folder, tenant):
    assert ingest(folder, tenant, queue=True).startswith(f"{len(FILES)} queued, 0 indexed")
    with tenant_scope(tenant):
        assert set(Document.objects.values_list("status", flat=True)) == {"pending"}


@pytest.mark.slow
def test_the_worker_lives_through_files_made_to_hurt(transactional_db, tmp_path, settings):
    disk = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"default": disk}
    tenant = TenantFactory()
    with tenant_scope(tenant, actor=ACTOR):
        collection, _ = get_or_create_collection("sea")
    for name, data in [*((name, make()) for name, (make, _) in BAD.items()), ("zgood.txt", KNOWN.encode())]:
        kept = store_file([data], tenant_id=tenant.pk, name=name)
        with tenant_scope(tenant, actor=ACTOR):
            upload_document(collection, kept, source=name)
    command = [sys.executable, str(BASE_DIR / "manage.py"), "worker", "--once"]
    code, _, kilobytes = run_measured(
        command, env=build_environment(MEDIA_ROOT=str(tmp_path), PARSE_SECONDS="4"), cwd=BASE_DIR
    )
    assert code == 0
    with tenant_scope(tenant):
        states = dict(Document.objects.values_list("source", "status"))
        assert states == {**dict.fromkeys(BAD, "failed"), "zgood.txt": "indexed"}
        assert not Document.objects.filter(status="failed", error_message="").exists()
    assert kilobytes < MOST_MEMORY_KB
