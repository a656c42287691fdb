"""A folder of every kind of file by the real command, and files made to hurt by the real worker."""

import sys
from io import StringIO

import pytest
from django.core.management import call_command

from config.testing.processes import measured
from config.testing.served import BASE_DIR, environment
from knowledge.models import Collection, Document
from knowledge.services.collections import get_or_create_collection
from knowledge.services.documents import bring_file
from knowledge.services.files import keep_file
from knowledge.services.search import search
from knowledge.tests.test_bounded import BAD
from knowledge.tests.test_formats import FILES, KNOWN
from tenants.scoping import tenant_scope
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


def test_a_folder_may_be_left_to_the_worker(folder, tenant):
    assert ingest(folder, tenant, queue=True).startswith(f"{len(FILES)} left to the worker, 0 indexed")
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
        kept = keep_file([data], tenant_id=tenant.pk, name=name)
        with tenant_scope(tenant, actor=ACTOR):
            bring_file(collection, kept, source=name)
    command = [sys.executable, str(BASE_DIR / "manage.py"), "worker", "--once"]
    code, _, kilobytes = measured(command, env=environment(MEDIA_ROOT=str(tmp_path)), cwd=BASE_DIR)
    assert code == 0
    with tenant_scope(tenant):
        states = dict(Document.objects.values_list("source", "status"))
        assert states == {**dict.fromkeys(BAD, "failed"), "zgood.txt": "indexed"}
        assert not Document.objects.filter(status="failed", error_message="").exists()
    assert kilobytes < MOST_MEMORY_KB
