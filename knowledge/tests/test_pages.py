"""Documents fetched by URL: within bounds, through redirects, and never into this network."""

import http.server
import socket
import threading

import pytest

from config.http import fetch
from config.http.fetch import FetchError, check_url, fetch_page
from config.http.ssrf import may_reach
from config.tenancy.scope import tenant_scope
from knowledge.models import Chunk, Document
from knowledge.services.documents import submit_url
from knowledge.services.ingestion import index_document
from knowledge.tests.factories import CollectionFactory

PAGE = b"<html><head><title>Tides</title></head><body><p>High water follows the moon.</p></body></html>"
PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
]


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, heads, body = self.server.pages.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in heads.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.asked, server.pages = [], {"/tides": (200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)}
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def allowed(settings, site):
    """This site, and nothing else of this machine."""
    settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.1/32"], [site.server_port]


def read(url, max_bytes=1_000_000):
    with fetch_page(url, max_bytes=max_bytes) as page:
        return b"".join(page.chunks)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_out_of_bounds(address):
    assert not may_reach(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_public_addresses_may_be_reached(address):
    assert may_reach(address)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.org/a", "http://user:pw@example.org/", "http://example.org:22/", "http:///a",
     "gopher://example.org", "http://[::1", "http://example.org/a b", "javascript:alert(1)"],
)  # fmt: skip
def test_urls_that_are_not_fetched_by_their_looks(url):
    with pytest.raises(FetchError):
        check_url(url)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0"]
)
def test_this_machine_is_not_asked(site, settings, host):
    settings.FETCH_PORTS = [site.server_port]
    with pytest.raises(FetchError):
        read(f"http://{host}:{site.server_port}/tides")
    assert site.asked == []


def test_a_name_that_changes_its_address_gains_nothing(site, settings, monkeypatch):
    settings.FETCH_PORTS = [site.server_port]
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def resolve(host, port, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(fetch.socket, "getaddrinfo", resolve)
    assert fetch._resolve_addresses("rebind.example", 80) == ["93.184.216.34"]
    assert fetch._resolve_addresses("rebind.example", 80) == []


def test_a_redirect_into_this_network_is_not_followed(site, allowed, settings):
    site.pages["/a"] = (302, {"Location": f"http://127.0.0.2:{site.server_port}/tides"}, b"")
    with pytest.raises(FetchError):
        read(f"{site.url}/a")
    assert site.asked == ["/a"]


def test_what_is_too_large_or_goes_in_circles_is_refused(site, allowed):
    site.pages |= {
        "/long": (200, {}, b"x" * 100_000),
        "/told": (200, {"Content-Length": str(1024**3)}, b""),
        "/circle": (302, {"Location": "/circle"}, b""),
    }
    for path, reason in (
        ("/long", "larger"),
        ("/told", "larger"),
        ("/circle", "redirects"),
        ("/none", "404"),
    ):
        with pytest.raises(FetchError, match=reason):
            read(site.url + path, max_bytes=50_000)


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


def test_a_page_that_cannot_be_fetched_is_an_error_on_its_document(site, tenant, settings):
    settings.FETCH_PORTS = [site.server_port]
    document = bring(tenant, f"{site.url}/tides")
    assert index_document(tenant.pk, document.pk).outcome == "failed"
    with tenant_scope(tenant):
        assert Document.objects.get().error_message == "The page cannot be reached."
    assert site.asked == []


def test_the_api_takes_a_public_url_and_no_other(api_client, tenant):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        path = f"/api/v1/collections/{CollectionFactory().pk}/documents/"
    made = client.post(path, {"url": "https://example.org/tides"}, content_type="application/json")
    refused = client.post(path, {"url": "https://example.org:22/"}, content_type="application/json")
    assert (made.status_code, made.json()["origin"], made.json()["status"]) == (201, "url", "pending")
    assert (refused.status_code, "Port 22" in refused.json()["errors"][0]["detail"]) == (400, True)
