"""Connectors of S3 buckets and mailboxes: credentials, deletions and limits."""

import boto3
import pytest
from moto.server import ThreadedMotoServer

from audit.models import AuditLog
from config.http.tls import ssl_context
from config.tenancy.scope import tenant_scope
from knowledge.models import Document
from knowledge.services.ingestion import index_document
from knowledge.tests.mailbox import create_certificate, serve_mailbox

KEYS = {"access_key": "AKIATEST", "secret_key": "hush-hush"}


@pytest.fixture(scope="module")
def service():
    """A local S3 server with a bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}", port
    server.stop()


@pytest.fixture
def bucket(service, settings):
    url, port = service
    settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.1/32"], [port]
    resource = boto3.resource(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="hush-hush",
    )
    bucket = resource.create_bucket(Bucket="handbook")
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()


def test_bucket_is_followed(bucket, service, connect):
    for key in ("docs/a.md", "docs/b c+ü.md", "docs/logo.png", "docs/empty.md", "other.md"):
        bucket.put_object(Key=key, Body=b"" if "empty" in key else f"# {key}".encode())
    config = {"endpoint": service[0], "bucket": "handbook", "prefix": "docs/"}
    s3 = connect("s3", config, credentials=KEYS)
    assert s3.sync() == ("completed", 2, 0, 0, 0, 0)
    assert s3.documents().keys() == {"s3://handbook/docs/a.md", "s3://handbook/docs/b c+ü.md"}
    bucket.put_object(Key="docs/a.md", Body=b"# changed")
    bucket.put_object(Key="docs/c.md", Body=b"# c")
    bucket.Object("docs/b c+ü.md").delete()
    assert s3.sync() == ("completed", 1, 1, 1, 0, 0)
    assert s3.sync() == ("completed", 0, 0, 0, 2, 0)


def test_listing_of_a_bucket_has_pages(bucket, service, connect, monkeypatch):
    monkeypatch.setattr("knowledge.connectors.s3.PAGE_SIZE", 2)
    for number in range(5):
        bucket.put_object(Key=f"{number}.md", Body=f"# {number}".encode())
    s3 = connect("s3", {"endpoint": service[0], "bucket": "handbook"}, credentials=KEYS)
    assert s3.sync() == ("completed", 5, 0, 0, 0, 0)


def test_requests_to_a_bucket_are_signed(site, connect):
    s3 = connect("s3", {"endpoint": site.url, "bucket": "handbook"}, credentials=KEYS)
    assert (s3.sync()[0], s3.error()) == (
        "failed",
        "The bucket cannot be listed: the service responded with status 404.",
    )
    assert site.authorizations[-1].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")


def test_service_in_this_network_is_not_read(bucket, service, connect, settings):
    settings.FETCH_NETWORKS = []
    s3 = connect("s3", {"endpoint": service[0], "bucket": "handbook"}, credentials=KEYS)
    assert (s3.sync()[0], s3.error()) == ("failed", "The server cannot be reached.")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return create_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def mailbox(certificate, settings, monkeypatch):
    """A mailbox with two messages, whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    ssl_context.cache_clear()
    with serve_mailbox(certificate) as server:
        settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.1/32"], [server.port]
        server.messages |= {1: build_message("Tide"), 4: build_message("Moon")}
        yield server
    ssl_context.cache_clear()


def build_message(subject):
    return f"From: a@example.org\r\nSubject: {subject}\r\n\r\nAbout the {subject}.\r\n".encode()


def open_mailbox(connect, mailbox, password="hush-hush", **config):
    credentials = {"username": "reader@example.org", "password": password}
    return connect("imap", {"host": "127.0.0.1", "port": mailbox.port, **config}, credentials=credentials)


def test_mailbox_is_followed(mailbox, connect, tenant):
    imap = open_mailbox(connect, mailbox)
    assert imap.sync() == ("completed", 2, 0, 0, 0, 0)
    assert imap.documents().keys() == {"imap://127.0.0.1/INBOX;UID=1", "imap://127.0.0.1/INBOX;UID=4"}
    del mailbox.messages[1]
    mailbox.messages[5] = build_message("Sun")
    mailbox.log.clear()
    assert imap.sync() == ("completed", 1, 0, 1, 1, 0)
    assert [line for line in mailbox.log if "FETCH" in line] == [
        "UID FETCH 5 (RFC822.SIZE)",
        "UID FETCH 5 (BODY.PEEK[])",
    ]
    with tenant_scope(tenant):
        document = Document.objects.get(source__endswith="UID=5")
    index_document(tenant.pk, document.pk)
    with tenant_scope(tenant):
        document.refresh_from_db()
    assert (document.title, document.file_type) == ("Sun", "message/rfc822")


def test_new_uidvalidity_reads_the_messages_again(mailbox, connect):
    imap = open_mailbox(connect, mailbox)
    imap.sync()
    mailbox.validity = 8
    mailbox.messages[4] = build_message("Other")
    assert imap.sync() == ("completed", 0, 1, 0, 1, 0)


def test_mailbox_keeps_the_newest_messages(mailbox, connect):
    imap = open_mailbox(connect, mailbox, max_messages=1)
    assert imap.sync() == ("completed", 1, 0, 0, 0, 0)
    assert list(imap.documents()) == ["imap://127.0.0.1/INBOX;UID=4"]


@pytest.mark.parametrize("is_honest", [True, False])
def test_large_message_is_an_error_of_the_item(mailbox, connect, settings, is_honest):
    settings.UPLOAD_MAX_BYTES = 1000
    mailbox.messages[5] = build_message("x" * 2000)
    mailbox.sizes[5] = 5000 if is_honest else 10
    imap = open_mailbox(connect, mailbox)
    assert imap.sync() == ("completed", 2, 0, 0, 0, 1)


def test_password_appears_in_no_error_log_or_audit_row(mailbox, connect, tenant, caplog):
    mailbox.password = "another"
    imap = open_mailbox(connect, mailbox)
    assert (imap.sync()[0], imap.error()) == ("failed", "The server refuses the credentials.")
    with tenant_scope(tenant):
        audited = str(list(AuditLog.objects.values()))
    assert "connector.synced" in audited
    for secret in ("hush-hush", "another"):
        assert secret not in audited + caplog.text + str(vars(imap.load()))


def test_server_with_an_unknown_certificate_is_refused(mailbox, connect, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    ssl_context.cache_clear()
    imap = open_mailbox(connect, mailbox)
    assert (imap.sync()[0], imap.error()) == ("failed", "The server cannot be reached over TLS.")
    assert mailbox.log == []


def test_mailbox_in_this_network_is_not_read(mailbox, connect, settings):
    settings.FETCH_NETWORKS = []
    imap = open_mailbox(connect, mailbox)
    assert (imap.sync()[0], imap.error()) == ("failed", "The server cannot be reached over TLS.")
    assert mailbox.log == []
