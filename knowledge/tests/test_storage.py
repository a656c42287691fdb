"""Document files in a separate S3 service, as on disk."""

import boto3
import environ
import pytest
from django.core.files.storage import default_storage
from moto.server import ThreadedMotoServer

from config.settings.files import DISK, file_storages
from config.tenancy.scope import tenant_scope
from knowledge.models import Document
from knowledge.services.documents import upload_document
from knowledge.services.files import FileTooLargeError, open_local_file, store_file
from knowledge.services.ingestion import index_document
from knowledge.tests.factories import CollectionFactory
from knowledge.tests.test_formats import make_docx

KEYS = {"S3_ACCESS_KEY": "test", "S3_SECRET_KEY": "test", "S3_REGION": "us-east-1"}


def storages(**variables):
    env = environ.Env()
    env.ENVIRON = variables
    return file_storages(env)


@pytest.fixture
def bucket(settings):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    settings.STORAGES = storages(S3_BUCKET="conclave-files", S3_ENDPOINT_URL=url, S3_PREFIX="kept", **KEYS)
    session = boto3.Session("test", "test", region_name="us-east-1")
    made = session.resource("s3", endpoint_url=url).Bucket("conclave-files")
    made.create()
    yield made
    server.stop()


def test_files_on_disk_are_private_without_a_bucket():
    chosen = storages()["default"]
    assert (chosen["BACKEND"], chosen["OPTIONS"]["file_permissions_mode"]) == (DISK, 0o600)


def test_document_is_stored_read_and_deleted_in_s3(bucket, tenant, django_capture_on_commit_callbacks):
    kept = store_file([make_docx()], tenant_id=tenant.pk, name="tides.docx")
    assert [each.key for each in bucket.objects.all()] == [f"kept/{kept.path}"]
    with tenant_scope(tenant, actor="system:test"):
        document = upload_document(CollectionFactory(), kept, source="tides.docx", defer=False).document
    assert index_document(tenant.pk, document.pk).outcome == "indexed"
    with tenant_scope(tenant, actor="system:test"), django_capture_on_commit_callbacks(execute=True):
        assert Document.objects.get().chunk_count == 1
        from knowledge.services.documents import delete_document

        delete_document(document)
    assert list(bucket.objects.all()) == []


def test_parser_gets_a_real_file(bucket, tenant):
    kept = store_file([b"abc", b"def"], tenant_id=tenant.pk, name="a.txt")
    with open_local_file(kept.path) as stream:
        assert stream.fileno() > 2
        assert stream.read() == b"abcdef"


def test_too_large_file_leaves_nothing(settings, tenant):
    settings.UPLOAD_MAX_BYTES = 5
    with pytest.raises(FileTooLargeError, match="maximum size of 5 bytes"):
        store_file([b"abc", b"def"], tenant_id=tenant.pk, name="a.txt")
    with pytest.raises(FileNotFoundError):
        default_storage.listdir(f"tenants/{tenant.pk}/documents")
