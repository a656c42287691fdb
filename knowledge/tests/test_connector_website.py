"""Connectors of websites: the collection equals the site, and no unchanged page is sent twice."""

import gzip
import hashlib
import time

import pytest

from config.tenancy.scope import tenant_scope
from knowledge.connectors.links import read_links
from knowledge.connectors.robots import parse_robots
from knowledge.models import Document
from knowledge.services.ingestion import index_document
from knowledge.tests.sites import build_page

FAST = {"delay_seconds": 0, "max_pages": 2000}


def checksums(site, *excluded):
    return {
        f"{site.url}{path}": hashlib.sha256(body).hexdigest()
        for path, body in site.pages.items()
        if path not in excluded and isinstance(body, bytes)
    }


def paths(web, site):
    return {source.removeprefix(site.url) for source in web.documents()}


def sent(site):
    """Return the paths whose body was sent, and empty the log."""
    found = [path for path, status in site.log if status == 200]
    site.log.clear()
    return found


@pytest.mark.parametrize("pages", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_collection_equals_the_site_after_changes_and_deletions(site, connect, pages):
    names = [f"/page{each}" for each in range(pages)]
    site.pages = {name: build_page(name) for name in names} | {"/": build_page("Index", *names)}
    web = connect("website", {"url": site.url, **FAST})
    assert web.sync() == ("completed", pages + 1, 0, 0, 0, 0)
    assert web.documents() == checksums(site)

    changed, deleted = pages // 10, pages // 20
    site.pages |= {name: build_page(name, text="is higher") for name in names[:changed]}
    for name in names[changed : changed + deleted]:
        del site.pages[name]
    site.log.clear()

    assert web.sync() == ("completed", 0, changed, deleted, pages + 1 - changed - deleted, 0)
    assert web.documents() == checksums(site)
    assert sorted(sent(site)) == sorted(names[:changed])


def test_pages_become_searchable_documents(site, connect, tenant):
    site.pages = {"/": build_page("Tides", text="follow the moon")}
    connect("website", {"url": site.url, **FAST}).sync()
    with tenant_scope(tenant):
        document = Document.objects.get()
    assert index_document(tenant.pk, document.pk).outcome == "indexed"
    with tenant_scope(tenant):
        document.refresh_from_db()
        assert (document.title, document.origin, document.chunk_count) == ("Tides", "connector", 1)


def test_robots_txt_and_robots_directives_are_respected(site, connect):
    site.pages = {
        "/robots.txt": (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /private\n"),
        "/": build_page("Index", "/private/a", "/hidden", "/header", "/open"),
        "/private/a": build_page("Private"),
        "/hidden": b'<meta name="robots" content="noindex"><a href="/behind">behind</a>',
        "/header": (200, {"X-Robots-Tag": "noindex, nofollow"}, build_page("Header", "/lost")),
        "/open": build_page("Open"),
        "/behind": build_page("Behind"),
        "/lost": build_page("Lost"),
    }
    web = connect("website", {"url": site.url, **FAST})
    assert web.sync() == ("completed", 3, 0, 0, 0, 0)
    assert paths(web, site) == {"/", "/open", "/behind"}
    assert {path for path, _ in site.log}.isdisjoint({"/private/a", "/lost"})


def test_page_that_robots_txt_forbids_later_is_deleted(site, connect):
    site.pages = {"/": build_page("Index", "/a", "/b"), "/a": build_page("A"), "/b": build_page("B")}
    web = connect("website", {"url": site.url, **FAST})
    web.sync()
    site.pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, b"User-agent: Conclave\nDisallow: /a$")
    assert web.sync() == ("completed", 0, 0, 1, 2, 0)
    assert paths(web, site) == {"/", "/b"}


def test_robots_txt_that_fails_forbids_the_crawl(site, connect):
    site.pages = {"/": build_page("Index"), "/robots.txt": (503, {}, b"")}
    web = connect("website", {"url": site.url, **FAST})
    assert web.sync() == ("failed", 0, 0, 0, 0, 0)
    assert web.error() == "The server responded with status 503 to the request for robots.txt."


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Disallow: /*.pdf$", "/x/y.pdf", False),
        ("Disallow: /*.pdf$", "/x/y.pdf?z", True),
        ("Disallow: /a*b*c", "/a-b-d", True),
        ("Disallow:", "/a", True),
        ("Disallow: /", "/", False),
    ],
)
def test_longest_rule_of_robots_txt_applies(rules, path, allowed):
    robots = parse_robots(f"User-agent: other\nDisallow: /\n\nUser-agent: *\n{rules}\nCrawl-delay: 900")
    assert (robots.allows(f"https://example.org{path}"), robots.delay) == (allowed, 60.0)


def test_crawl_stays_on_the_host_and_ignores_fragments(site, connect):
    site.pages = {
        "/": build_page("Index", "/a#x", "/a#y", "https://example.org/", f"http://localhost:{site.port}/a"),
        "/a": build_page("A", "./", "//[bad", "mailto:a@example.org", "javascript:alert(1)", "/image"),
        "/image": (200, {"Content-Type": "image/png"}, b"\x89PNG"),
    }
    web = connect("website", {"url": site.url, **FAST})
    assert web.sync() == ("completed", 2, 0, 0, 0, 0)
    assert [path for path, _ in site.log] == ["/robots.txt", "/", "/a", "/image"]


def test_redirects_are_followed_on_the_host_only(site, connect):
    site.pages = {
        "/": build_page("Index", "/old", "/away", "/circle"),
        "/old": (301, {"Location": "/new"}, b""),
        "/new": build_page("New"),
        "/away": (302, {"Location": f"http://127.0.0.2:{site.port}/new"}, b""),
        "/circle": (302, {"Location": "/circle"}, b""),
    }
    web = connect("website", {"url": site.url, **FAST})
    assert web.sync() == ("completed", 2, 0, 0, 0, 0)
    site.log.clear()
    assert (web.sync(), sent(site)) == (("completed", 0, 0, 0, 2, 0), [])


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({"max_depth": 1}, {"/", "/a", "/b"}),
        ({"max_pages": 2}, {"/", "/a"}),
        ({"exclude_paths": ["/b"]}, {"/", "/a"}),
        ({"include_paths": ["/a"], "url": "/a"}, {"/a"}),
    ],
)
def test_crawl_has_bounds(site, connect, bounds, found):
    site.pages = {
        "/": build_page("Index", "/a", "/b"),
        "/a": build_page("A"),
        "/b": build_page("B", "/b/c"),
        "/b/c": build_page("C"),
    }
    web = connect("website", {**FAST, **bounds, "url": site.url + bounds.get("url", "")})
    assert web.sync()[0] == ("partial" if "max_pages" in bounds else "completed")
    assert paths(web, site) == found


def test_crawl_with_too_small_a_bound_deletes_nothing(site, connect):
    site.pages = {"/": build_page("Index", "/a", "/b"), "/a": build_page("A"), "/b": build_page("B")}
    web = connect("website", {"url": site.url, **FAST})
    web.sync()
    with tenant_scope(web.tenant, actor="system:test"):
        web.connector.config = {"url": site.url, "delay_seconds": 0, "max_pages": 1}
        web.connector.save()
    assert web.sync() == ("partial", 0, 0, 0, 1, 0)
    assert (paths(web, site), web.error()) == (
        {"/", "/a", "/b"},
        "The site has more pages than max_pages or max_megabytes allows.",
    )


def test_large_page_is_an_error_of_the_item(site, connect, settings):
    settings.UPLOAD_MAX_BYTES = 2000
    site.pages = {"/": build_page("Index", "/a"), "/a": build_page("A", text="x" * 3000)}
    web = connect("website", {"url": site.url, **FAST})
    assert web.sync()[1:] == (1, 0, 0, 0, 1)
    assert web.load().item_errors == [
        {"source": f"{site.url}/a", "error": "The file is larger than 2000 bytes."}
    ]


def test_failing_page_keeps_its_document_and_the_pages_behind_it(site, connect):
    site.pages = {"/": build_page("Index", "/a"), "/a": build_page("A", "/b"), "/b": build_page("B")}
    web = connect("website", {"url": site.url, **FAST})
    web.sync()
    site.pages["/a"] = (500, {}, b"")
    assert web.sync() == ("completed", 0, 0, 0, 2, 1)
    assert paths(web, site) == {"/", "/a", "/b"}


def test_listing_that_fails_midway_deletes_nothing(site, connect):
    site.pages = {"/": build_page("Index", "/a", "/b"), "/a": build_page("A"), "/b": build_page("B")}
    web = connect("website", {"url": site.url, **FAST})
    web.sync()
    site.pages = {"/": build_page("Index", "/new"), "/new": (503, {}, b"")}
    assert web.sync() == ("partial", 0, 1, 0, 0, 1)
    assert paths(web, site) == {"/", "/a", "/b"}
    site.pages["/"] = (503, {}, b"")
    assert web.sync() == ("failed", 0, 0, 0, 0, 0)
    assert paths(web, site) == {"/", "/a", "/b"}


def test_site_without_validators_is_compared_by_content(site, connect):
    site.has_etags = False
    site.pages = {"/": build_page("Index", "/a"), "/a": build_page("A")}
    web = connect("website", {"url": site.url, **FAST})
    web.sync()
    site.pages["/a"] = build_page("A", text="again")
    assert web.sync() == ("completed", 0, 1, 0, 1, 0)


def entry(site, path, lastmod):
    return f"<url><loc>{site.url}{path}</loc><lastmod>{lastmod}</lastmod></url>"


def test_sitemap_index_with_lastmod_avoids_requests(site, connect):
    urlset = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{}</urlset>'
    index = f"<sitemapindex><sitemap><loc>{site.url}/pages.xml.gz</loc></sitemap></sitemapindex>"
    dates = {"/a": "2026-01-01", "/b": "2026-01-02T10:00:00Z", "/c": "2999-01-01"}
    listed = "".join(entry(site, path, lastmod) for path, lastmod in dates.items())
    site.pages = {path: build_page(path) for path in dates} | {
        "/sitemap.xml": (200, {"Content-Type": "application/xml"}, index.encode()),
        "/pages.xml.gz": (
            200,
            {"Content-Type": "application/gzip"},
            gzip.compress(urlset.format(listed).encode()),
        ),
    }
    web = connect("website", {"url": site.url, "sitemap": f"{site.url}/sitemap.xml", **FAST})
    assert web.sync() == ("completed", 3, 0, 0, 0, 0)
    site.log.clear()

    later = entry(site, "/a", "2026-03-01") + entry(site, "/b", dates["/b"])
    site.pages["/pages.xml.gz"] = (200, {}, gzip.compress(urlset.format(later).encode()))
    assert web.sync() == ("completed", 0, 0, 1, 2, 0)
    assert [path for path, _ in site.log] == ["/robots.txt", "/sitemap.xml", "/pages.xml.gz", "/a"]
    assert site.log[-1] == ("/a", 304)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<urlset><url>", "The XML document is not well-formed."),
        (
            b'<!DOCTYPE x [<!ENTITY a "b">]><urlset/>',
            "An XML document with a document type is not supported.",
        ),
        (b"<a>" * 200 + b"</a>" * 200, "The XML document has too many elements."),
        (gzip.compress(b"<urlset/>", mtime=0)[:-6], "The gzipped XML document is damaged."),
    ],
)
def test_bad_sitemap_deletes_nothing(site, connect, body, error):
    site.pages = {"/a": build_page("A"), "/sitemap.xml": f"<urlset>{entry(site, '/a', '')}</urlset>".encode()}
    web = connect("website", {"url": site.url, "sitemap": f"{site.url}/sitemap.xml", **FAST})
    web.sync()
    site.pages["/sitemap.xml"] = (200, {"Content-Type": "application/xml"}, body)
    assert web.sync()[0] == "failed"
    assert (web.error(), paths(web, site)) == (error, {"/a"})


def test_site_in_this_network_is_not_read(site, connect, settings):
    settings.FETCH_NETWORKS = []
    site.pages = {"/": build_page("Index")}
    web = connect("website", {"url": site.url, **FAST})
    assert web.sync() == ("failed", 0, 0, 0, 0, 0)
    assert (web.error(), site.log) == ("robots.txt cannot be read. The server cannot be reached.", [])


def test_page_with_too_many_links_deletes_nothing(site, connect, monkeypatch):
    site.pages = {"/": build_page("Index", "/a", "/b"), "/a": build_page("A"), "/b": build_page("B")}
    web = connect("website", {"url": site.url, **FAST})
    web.sync()
    monkeypatch.setattr("knowledge.connectors.links.MAX_LINKS", 1)
    assert web.sync() == ("partial", 0, 0, 0, 2, 0)
    assert paths(web, site) == {"/", "/a", "/b"}


HOSTILE = [
    "<a " + "a" * 3990,
    "<a x" + "=" * 3990 + ">",
    "<!--",
    "<script",
    "<a href='",
    "<a " + "x='y' " * 600 + ">",
    "<a href=/%d>",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_links_of_hostile_pages_take_linear_time(piece):
    def measure(size):
        started = time.process_time()
        read_links(piece * (size // len(piece)), "https://example.org/")
        return time.process_time() - started

    assert measure(1_000_000) < 10 * max(measure(250_000), 0.02)
