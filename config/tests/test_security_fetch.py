"""Fetching cannot reach private addresses: URL variants, redirects, DNS rebinding."""

import asyncio
import gzip
import zlib

import httpcore2
import pytest

from config.http import fetch
from config.http.fetch import FetchError, check_url, fetch_page
from config.http.ssrf import is_public, may_reach, resolve_host
from config.tests.page_server import serve_pages

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
    "http://@127.0.0.1:{port}/",
    "http://[::1",
    "http://127.0.0.1:{port}/a b",
    "http://127.0.0.1:{port}/" + "a" * 2000,
)
PRIVATE = """
127.0.0.1 127.1.2.3 0.0.0.0 10.0.0.1 10.1.2.3 172.16.0.1 172.16.5.5 192.168.0.1 192.168.1.1 169.254.169.254
100.64.0.1 192.0.0.8 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255
:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
2002:7f00:1:: 2002:a00:1:: fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 ff02::1
""".split()  # noqa: SIM905 (a table reads better)


class Wire(httpcore2.AsyncNetworkBackend):
    """Records the targets of connections and redirects them to the test server."""

    def __init__(self, inner, port):
        self.inner, self.port, self.dialled = inner, port, []

    async def connect_tcp(self, host, port, *rest, **options):
        self.dialled.append(host)
        return await self.inner.connect_tcp("127.0.0.1", self.port, *rest, **options)


@pytest.fixture
def site(settings):
    with serve_pages(other=(200, {}, b"secret of the inside")) as server:
        settings.FETCH_PORTS, settings.FETCH_NETWORKS = [server.port], []
        yield server


@pytest.fixture
def wire(site, monkeypatch):
    """Record every connection that the guard allows and redirect it to `site`."""
    plain = fetch.guarded_client
    made = Wire(httpcore2.AnyIOBackend(), site.port)

    def client(*args, **options):
        guarded = plain(*args, **options)
        guarded._transport._pool._network_backend.inner = made
        return guarded

    monkeypatch.setattr(fetch, "guarded_client", client)
    return made


def url_of(site, host):
    return f"http://{host}:{site.port}/"


def read(url, **options):
    """Return the page and its body."""

    async def run():
        limits = {"max_bytes": 1_000_000, "seconds": 20, "headers": {}}
        async with fetch_page(url, **limits | options) as page:
            return page, b"".join([piece async for piece in page.chunks])

    return asyncio.run(run())


def refused(url, **options):
    with pytest.raises(FetchError) as caught:
        read(url, **options)
    return str(caught.value)


def test_there_are_enough_url_variants():
    assert len({*LOOPBACK, *INSIDE}) >= 70


@pytest.mark.security("private address")
@pytest.mark.parametrize("host", [*LOOPBACK, *INSIDE])
def test_no_variant_of_a_private_address_is_connected_to(host, site, wire, attacks):
    assert refused(url_of(site, host)) == "The page cannot be reached."
    attacks.attempt(succeeded=bool(wire.dialled or site.asked))


@pytest.mark.parametrize("url", ODD)
def test_invalid_page_urls_are_rejected(url, site, wire):
    assert refused(url.format(port=site.port))
    assert (wire.dialled, site.asked) == ([], [])


@pytest.mark.security("private address", mutation=True)
def test_control_most_variants_lead_to_this_machine(site, settings, attacks):
    settings.FETCH_NETWORKS = ["0.0.0.0/0", "::/0"]
    reached = []
    for host in LOOPBACK:
        try:
            read(url_of(site, host))
        except FetchError:
            continue
        reached.append(host)
    attacks.record(len(LOOPBACK), reached)
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
    page, body = read(url_of(site, "news.example"), resolver=names(news=["93.184.216.34"]))
    assert (page.status, body, wire.dialled) == (200, b"secret of the inside", ["93.184.216.34"])


@pytest.mark.parametrize("to", ["127.0.0.1", "[::1]", "169.254.169.254", "inner.example", "0x7f.1"])
def test_a_redirect_to_the_inside_is_not_followed(to, site, wire):
    site.pages["/"] = (302, {"Location": url_of(site, to) + "admin"}, b"")
    refused(url_of(site, "news.example"), resolver=names(news=["93.184.216.34"], inner=["10.0.0.5"]))
    assert (wire.dialled, site.asked) == (["93.184.216.34"], ["/"])


@pytest.mark.parametrize("to", ["file:///etc/passwd", "http://a:b@news.example/", "ftp://news.example/"])
def test_a_redirect_to_another_kind_of_address_is_not_followed(to, site, wire):
    site.pages["/"] = (302, {"Location": to}, b"")
    refused(url_of(site, "news.example"), resolver=names(news=["93.184.216.34"]))
    assert site.asked == ["/"]


def test_a_name_that_turns_inward_for_the_second_request_is_refused(site, wire):
    site.pages["/"] = (302, {"Location": "/again"}, b"")
    rebinding = names(news=["93.184.216.34", "127.0.0.1"])
    refused(url_of(site, "news.example"), resolver=rebinding)
    assert (wire.dialled, site.asked) == (["93.184.216.34"], ["/"])


def test_a_name_with_one_private_address_among_public_ones_is_refused(site, wire):
    refused(url_of(site, "news.example"), resolver=names(news=("93.184.216.34", "10.0.0.1")))
    assert wire.dialled == []


def test_endless_redirects_end(site, wire):
    site.pages["/"] = (302, {"Location": "/"}, b"")
    assert "redirects" in refused(url_of(site, "news.example"), resolver=names(news=["93.184.216.34"]))
    assert len(site.asked) == 6


PUBLIC = names(news=["93.184.216.34"])


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"Content-Encoding": "gzip"}, b"x", "The page uses an unsupported content encoding."),
        ({}, b"x" * 3000, "The page is larger than 2000 bytes."),
        ({"Content-Length": str(1024**3)}, b"", "The page is larger than 2000 bytes."),
    ],
)
def test_large_and_encoded_pages_are_rejected(headers, body, reason, site, wire):
    site.pages["/"] = (200, headers, body)
    assert refused(url_of(site, "news.example"), resolver=PUBLIC, max_bytes=2000) == reason


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("gzip", gzip.compress(bytes(50_000_000), mtime=0), "The page is larger than 1 MB."),
        (
            "gzip, gzip",
            gzip.compress(gzip.compress(b"x", mtime=0), mtime=0),
            "The page uses an unsupported content encoding.",
        ),
        ("deflate", zlib.compress(b"x"), "The page uses an unsupported content encoding."),
        ("gzip", b"not compressed at all", "The page cannot be reached."),
    ],
)
def test_accepted_encodings_are_bounded(encoding, body, reason, site, wire):
    site.pages["/"] = (200, {"Content-Encoding": encoding}, body)
    limits = {"encodings": {"gzip", "identity"}, "max_bytes": 1024**2}
    assert refused(url_of(site, "news.example"), resolver=PUBLIC, **limits) == reason


def test_an_accepted_encoding_is_decoded(site, wire):
    site.pages["/"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"tides"))
    page = read(url_of(site, "news.example"), resolver=PUBLIC, encodings={"gzip", "identity"})
    assert page[1] == b"tides"


def test_cookies_are_not_kept_between_redirects(site, wire):
    site.pages["/"] = (302, {"Location": "/again", "Set-Cookie": "session=1; Path=/"}, b"")
    read(url_of(site, "news.example"), resolver=PUBLIC)
    assert site.cookies == [None, None]


def test_a_page_that_never_ends_is_cut_off(site, wire):
    async def never(host, port):
        await asyncio.sleep(60)

    reason = refused(url_of(site, "news.example"), resolver=never, seconds=1)
    assert reason == "The page did not respond in time."


def test_a_slow_step_ends_before_the_time_limit(site, wire):
    site.pages["/"] = (200, {"Content-Length": "10"}, b"x")
    url = url_of(site, "news.example")
    assert refused(url, resolver=PUBLIC, step_seconds=0.2, seconds=20) == "The page cannot be reached."


@pytest.mark.parametrize("url", ["http://example.org:22/", "http://a:b@example.org/", "ftp://example.org/a"])
def test_urls_are_rejected_by_syntax(url):
    with pytest.raises(FetchError):
        check_url(url)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_out_of_bounds(address):
    assert not may_reach(address)


def test_a_network_may_be_allowed():
    assert may_reach("10.1.2.3", ["10.0.0.0/8"])
    assert may_reach("::ffff:10.1.2.3", ["10.0.0.0/8"])
    assert not may_reach("127.0.0.1", ["10.0.0.0/8"])


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "2a00:1450::1"])
def test_public_addresses_are_public(address):
    assert is_public(address)
    assert may_reach(address)


def test_the_address_in_nat64_is_judged():
    assert may_reach("64:ff9b::101:101")
