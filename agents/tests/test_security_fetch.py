"""The fetch tool cannot reach private addresses: URL variants, redirects, DNS rebinding."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore2
import pytest

from agents.runtime import page_fetcher as fetching
from agents.runtime.page_fetcher import FetchError, fetch_page
from agents.runtime.ssrf import is_public, resolve_host

# {port} is the port of the test's own server, which listens on 127.0.0.1 and on ::1.
LOOPBACK = """
127.0.0.1 127.0.0.2 127.1 127.0.1 127.255.255.254 2130706433 0x7f000001 0x7F.1 0x7f.0x0.0x0.0x1 017700000001
127.0.0.1. 0 0.0.0.0 127。0。0。1 localhost LOCALHOST localhost. lOcAlHoSt
[::1] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::0001] [0::1] [::]
[::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [::FFFF:127.0.0.1] [::ffff:0:127.0.0.1]
""".split()  # noqa: SIM905 (a table reads better)
INSIDE = """
10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.254 192.168.0.1 192.168.255.255 169.254.169.254 169.254.170.2
100.64.0.1 100.100.100.200 192.0.0.1 192.0.0.192 198.18.0.1 240.0.0.1 255.255.255.255 224.0.0.1 239.255.255.250
192.88.99.1 0xa9fea9fe 2852039166 0xA9.0xFE.0xA9.0xFE 025177524776 10.1 192.168.1 3232235521
[fe80::1] [fe80::1%25lo] [fc00::1] [fd00:ec2::254] [fec0::1] [ff02::1] [64:ff9b::a9fe:a9fe] [64:ff9b::7f00:1]
[64:ff9b:1::a00:1] [2002:7f00:1::] [2002:a9fe:a9fe::1] [2001:0:7f00:1::] [2001:db8::1] [100::1] [::127.0.0.1]
[::a9fe:a9fe] [::ffff:10.0.0.1] [::ffff:a9fe:a9fe] [3fff::1]
""".split()  # noqa: SIM905 (a table reads better)
ODD = (
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "ftp://127.0.0.1/",
    "dict://127.0.0.1:{port}/",
    "http://user:secret@127.0.0.1:{port}/",
    "http://public.example@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@public.example/",
    "http://public.example#@127.0.0.1:{port}/",
    "http:127.0.0.1:{port}",
    "//127.0.0.1:{port}/",
    "http://127.0.0.1:22/",
    "http://127.0.0.1:5432/",
    "http://127.0.0.1:{port}/\r\nHost: public.example",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://127.0.0.1%00.public.example:{port}/",
    "http:///127.0.0.1",
    "javascript:alert(1)",
)


class Site(ThreadingHTTPServer):
    """A loopback server that records requests and serves pages from `answers` (by path)."""

    daemon_threads = True
    asked: list
    answers: dict


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, headers, body = self.server.answers.get(self.path, (200, {}, b"secret of the inside"))
        self.send_response(status)
        for name, value in ({"Content-Type": "text/plain"} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Silent."""


class Wire(httpcore2.AsyncNetworkBackend):
    """Records the targets of connections and redirects them to the test server."""

    def __init__(self, inner, port):
        self.inner, self.port, self.dialled = inner, port, []

    async def connect_tcp(self, host, port, *rest, **options):
        self.dialled.append(host)
        return await self.inner.connect_tcp("127.0.0.1", self.port, *rest, **options)


@pytest.fixture
def site(settings):
    with Site(("127.0.0.1", 0), Handler) as server:
        server.asked, server.answers = [], {}
        settings.FETCH_PORTS, settings.FETCH_NETWORKS = [server.server_address[1]], []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def wire(site, monkeypatch):
    """Record every connection that the guard allows and redirect it to `site`."""
    plain = fetching._client
    made = Wire(httpcore2.AnyIOBackend(), site.server_address[1])

    def client(resolver):
        guarded = plain(resolver)
        guarded._transport._pool._network_backend.inner = made
        return guarded

    monkeypatch.setattr(fetching, "_client", client)
    return made


def url_of(site, host):
    return f"http://{host}:{site.server_address[1]}/"


def refused(url, **options):
    with pytest.raises(FetchError) as caught:
        asyncio.run(fetch_page(url, **options))
    return str(caught.value)


def test_there_are_enough_url_variants():
    assert len({*LOOPBACK, *INSIDE}) >= 70


@pytest.mark.parametrize("host", [*LOOPBACK, *INSIDE])
def test_no_variant_of_a_private_address_is_connected_to(host, site, wire):
    assert refused(url_of(site, host)) == "The page cannot be reached."
    assert (wire.dialled, site.asked) == ([], [])


@pytest.mark.parametrize("url", ODD)
def test_invalid_page_urls_are_rejected(url, site, wire):
    assert refused(url.format(port=site.server_address[1]))
    assert (wire.dialled, site.asked) == ([], [])


def test_control_most_variants_lead_to_this_machine(site, settings):
    settings.FETCH_NETWORKS = ["0.0.0.0/0", "::/0"]
    reached = []
    for host in LOOPBACK:
        try:
            asyncio.run(fetch_page(url_of(site, host)))
        except FetchError:
            continue
        reached.append(host)
    assert len(reached) >= 15
    assert len(site.asked) == len(reached)


def names(**addresses):
    """Return a resolver; a list of addresses is returned one by one, as in DNS rebinding."""

    async def resolver(host, port):
        found = addresses.get(host.partition(".")[0])
        if found is None:
            return await resolve_host(host, port)
        return [found.pop(0) if len(found) > 1 else found[0]] if isinstance(found, list) else list(found)

    return resolver


def test_a_public_page_is_read_by_the_address_that_was_checked(site, wire):
    page = asyncio.run(fetch_page(url_of(site, "news.example"), resolver=names(news=["93.184.216.34"])))
    assert (page.status, page.text, wire.dialled) == (200, "secret of the inside", ["93.184.216.34"])


@pytest.mark.parametrize("to", ["127.0.0.1", "[::1]", "169.254.169.254", "inner.example", "0x7f.1"])
def test_a_redirect_to_the_inside_is_not_followed(to, site, wire):
    site.answers["/"] = (302, {"Location": url_of(site, to) + "admin"}, b"")
    refused(url_of(site, "news.example"), resolver=names(news=["93.184.216.34"], inner=["10.0.0.5"]))
    assert (wire.dialled, site.asked) == (["93.184.216.34"], ["/"])


@pytest.mark.parametrize("to", ["file:///etc/passwd", "http://a:b@news.example/", "ftp://news.example/"])
def test_a_redirect_to_another_kind_of_address_is_not_followed(to, site, wire):
    site.answers["/"] = (302, {"Location": to}, b"")
    refused(url_of(site, "news.example"), resolver=names(news=["93.184.216.34"]))
    assert site.asked == ["/"]


def test_a_name_that_turns_inward_for_the_second_request_is_refused(site, wire):
    site.answers["/"] = (302, {"Location": "/again"}, b"")
    rebinding = names(news=["93.184.216.34", "127.0.0.1"])
    refused(url_of(site, "news.example"), resolver=rebinding)
    assert (wire.dialled, site.asked) == (["93.184.216.34"], ["/"])


def test_a_name_with_one_private_address_among_public_ones_is_refused(site, wire):
    refused(url_of(site, "news.example"), resolver=names(news=("93.184.216.34", "10.0.0.1")))
    assert wire.dialled == []


def test_endless_redirects_end(site, wire):
    site.answers["/"] = (302, {"Location": "/"}, b"")
    assert "redirects" in refused(url_of(site, "news.example"), resolver=names(news=["93.184.216.34"]))
    assert len(site.asked) == 6


PUBLIC = names(news=["93.184.216.34"])


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        (
            {"Content-Type": "image/png"},
            b"x",
            "Unsupported content type: image/png. Only text can be fetched.",
        ),
        ({"Content-Encoding": "gzip"}, b"x", "The page uses an unsupported content encoding."),
        ({}, b"x" * 3000, "The page is larger than 2000 bytes."),
    ],
)
def test_non_text_and_large_pages_are_rejected(headers, body, reason, site, wire, settings):
    settings.FETCH_MAX_BYTES = 2000
    site.answers["/"] = (200, headers, body)
    assert refused(url_of(site, "news.example"), resolver=PUBLIC) == reason


def test_of_a_page_its_text_is_given(site, wire):
    html = b"<title>Tides</title><script>x()</script><h1>High</h1><p>Noon.</p><nav>menu</nav>"
    site.answers["/"] = (200, {"Content-Type": "text/html; charset=utf-8"}, html)
    page = asyncio.run(fetch_page(url_of(site, "news.example"), resolver=PUBLIC))
    assert page.text == "Tides\n\nHigh\n\nNoon."


def test_a_page_that_never_ends_is_cut_off(site, wire, settings):
    settings.FETCH_SECONDS = 1

    async def never(host, port):
        await asyncio.sleep(60)

    assert refused(url_of(site, "news.example"), resolver=never) == "The page did not respond in time."


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "2a00:1450::1"])
def test_public_addresses_are_public(address):
    assert is_public(address)
