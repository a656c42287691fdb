"""Documents fetched by URL: within bounds, through redirects, and never into this network."""

import gzip

import pytest

from config.tenancy.scope import tenant_scope
from config.tests.page_server import serve_pages
from knowledge.models import Chunk, Document
from knowledge.services.documents import submit_url
from knowledge.services.ingestion import index_document
from knowledge.tests.factories import CollectionFactory

PAGE = b"<html><head><title>Tides</title></head><body><p>High water follows the moon.</p></body></html>"


@pytest.fixture
def site():
    pages = {"/tides": (200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)}
    with serve_pages(pages) as server:
        yield server


@pytest.fixture
def allowed(settings, site):
    """This site, and nothing else of this machine."""
    settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.1/32"], [site.port]


def bring(tenant, url):
    with tenant_scope(tenant, actor="system:test"):
        return submit_url(CollectionFactory(slug="web"), url).document


def test_a_page_becomes_a_document_by_its_media_type(site, allowed, tenant):
    site.pages["/moved"] = (301, {"Location": "/tides"}, b"")
    document = bring(tenant, f"{site.url}/moved")
    assert index_document(tenant.pk, document.pk).outcome == "indexed"
    with tenant_scope(tenant, actor="system:test"):
        document.refresh_from_db()
        assert (document.status, document.title, document.file_type) == ("indexed", "Tides", "text/html")
        assert Chunk.objects.get().content == "High water follows the moon."
        submit_url(document.collection, document.source)
    assert index_document(tenant.pk, document.pk).outcome == "unchanged"


def test_page_that_cannot_be_fetched_fails_its_document(site, tenant, settings):
    settings.FETCH_PORTS = [site.port]
    assert error_of(tenant, f"{site.url}/tides") == "The page cannot be reached."
    assert site.asked == []


def error_of(tenant, url):
    document = bring(tenant, url)
    assert index_document(tenant.pk, document.pk).outcome == "failed"
    with tenant_scope(tenant):
        return Document.objects.get().error_message


def test_redirect_to_a_private_address_is_not_followed(site, allowed, tenant):
    site.pages["/a"] = (302, {"Location": f"http://127.0.0.2:{site.port}/tides"}, b"")
    assert error_of(tenant, f"{site.url}/a") == "The page cannot be reached."
    assert site.asked == ["/a"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/long", "The page is larger than 50000 bytes."),
        ("/packed", "The page is larger than 50000 bytes."),
        ("/declared", "The page is larger than 50000 bytes."),
        ("/circle", "The page redirects more than 5 times."),
        ("/none", "The server responded with status 404."),
    ],
)
def test_large_pages_and_redirect_loops_are_rejected(site, allowed, tenant, settings, path, error):
    settings.UPLOAD_MAX_BYTES = 50_000
    site.pages |= {
        "/long": (200, {}, b"x" * 100_000),
        "/packed": (200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 100_000)),
        "/declared": (200, {"Content-Length": str(1024**3)}, b""),
        "/circle": (302, {"Location": "/circle"}, b""),
    }
    assert error_of(tenant, site.url + path) == error


def test_a_compressed_page_is_read(site, allowed, tenant):
    site.pages["/packed"] = (
        200,
        {"Content-Type": "text/html", "Content-Encoding": "gzip"},
        gzip.compress(PAGE),
    )
    document = bring(tenant, f"{site.url}/packed")
    assert index_document(tenant.pk, document.pk).outcome == "indexed"


def test_api_accepts_only_public_urls(api_client, tenant):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        path = f"/api/v1/collections/{CollectionFactory().pk}/documents/"
    made = client.post(path, {"url": "https://example.org/tides"}, content_type="application/json")
    refused = client.post(path, {"url": "https://example.org:22/"}, content_type="application/json")
    assert (made.status_code, made.json()["origin"], made.json()["status"]) == (201, "url", "pending")
    assert (refused.status_code, "Port 22" in refused.json()["errors"][0]["detail"]) == (400, True)
