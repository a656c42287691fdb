"""Pages of a website, from a crawl or a sitemap.

The robots exclusion protocol and robots directives of pages are respected. Known pages are requested with their
validators; the links of an unchanged page come from its stored file.
"""

from collections import deque
from collections.abc import Iterator
from http import HTTPStatus
from typing import IO
from urllib.parse import urlsplit

from config.http.fetch import FetchError
from config.http.session import Download, DownloadSession
from knowledge.connectors.base import (
    TIME_IS_OVER,
    ConnectorError,
    SourceItem,
    SyncContext,
    iter_blocks,
    matches_paths,
)
from knowledge.connectors.configs import WebsiteConfig
from knowledge.connectors.links import MAX_LINKS, PageLinks, has_same_host, normalize_url, read_links
from knowledge.connectors.pages import (
    HTML,
    PageBudget,
    build_version,
    download_page,
    get_page_name,
    parse_version,
    raise_for_status,
)
from knowledge.connectors.robots import MAX_BYTES as MAX_ROBOTS_BYTES
from knowledge.connectors.robots import RobotsRules, parse_robots
from knowledge.connectors.sitemaps import MAX_URLS, is_final, parse_sitemap

MAX_LINKED_BYTES = 2 * 1024 * 1024
MAX_SITEMAPS = 100
TOO_MANY_LINKS = f"A page has more than {MAX_LINKS} links, so the listing is incomplete. Use a sitemap."
TOO_MANY_PAGES = "The site has more pages than max_pages or max_megabytes allows."
MAX_SITEMAP_BYTES = 50 * 1024 * 1024
# A page with one of these is not part of the site; with another error it may come back.
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class WebsiteSource:
    """The pages of one host."""

    follows_deletions = True

    def __init__(self, config: WebsiteConfig, context: SyncContext, session: DownloadSession) -> None:
        self.config, self.context, self.session = config, context, session
        self.notice = ""
        self._start = normalize_url(config.url)
        self._budget = PageBudget(config.max_pages, config.max_megabytes * 1024**2, config.delay_seconds)
        self._robots = RobotsRules()
        self._seen: set[str] = set()
        # Pages to visit, each with the number of links from the start and its `lastmod`.
        self._queue: deque[tuple[str, int, str]] = deque()

    def list_items(self) -> Iterator[SourceItem]:
        self._robots = self._read_robots()
        self._budget.delay = max(self._budget.delay, self._robots.delay)
        if self.config.sitemap:
            for url, lastmod in self._read_sitemaps().items():
                self._enqueue(url, 0, lastmod)
        else:
            self._enqueue(self._start, 0)
            if not self._queue:
                raise ConnectorError("The site's robots.txt or the paths exclude the first page.")
        while self._queue:
            url, depth, lastmod = self._queue.popleft()
            if self._is_known(url, lastmod):
                yield SourceItem(url, self.context.known[url].version, is_unchanged=True)
            elif self.context.is_over():
                self.notice = TIME_IS_OVER
                return
            elif self._budget.requests <= 0 or self._budget.size <= 0:
                self.notice = TOO_MANY_PAGES
                return
            else:
                yield from self._visit(url, depth, lastmod)

    def open_item(self, item: SourceItem) -> Iterator[bytes]:
        stream: IO[bytes] = item.handle
        return iter_blocks(stream)

    def _is_known(self, url: str, lastmod: str) -> bool:
        item = self.context.known.get(url)
        return bool(lastmod and item and parse_version(item.version).get("lastmod") == lastmod)

    def _enqueue(self, url: str, depth: int, lastmod: str = "") -> None:
        """Add a page of the site to the queue, unless it was added before or robots.txt forbids it."""
        path = urlsplit(url).path
        is_included = matches_paths(path, self.config.include_paths, self.config.exclude_paths)
        if url in self._seen or not has_same_host(url, self._start) or not is_included:
            return
        if len(self._seen) >= MAX_URLS:
            self.notice = TOO_MANY_PAGES
            return
        self._seen.add(url)
        if self._robots.allows(url):
            self._queue.append((url, depth, lastmod))

    def _visit(self, url: str, depth: int, lastmod: str) -> Iterator[SourceItem]:
        """Request a page, yield its item, and enqueue its links."""
        try:
            page = self._request(url)
        except FetchError as error:
            yield from self._fail(url, depth, str(error))
            return
        if page.location and url == self._start and not has_same_host(page.location, url):
            raise ConnectorError("The first page redirects to another host. Enter the URL of that host.")
        if page.location:
            self._enqueue(normalize_url(page.location), depth, lastmod)
        elif page.status == HTTPStatus.NOT_MODIFIED:
            known = parse_version(self.context.known[url].version)
            known["lastmod"] = lastmod if is_final(lastmod) else ""
            version = build_version(
                {"etag": known.pop("etag", ""), "last-modified": known.pop("modified", "")}, **known
            )
            yield SourceItem(url, version, is_unchanged=True)
            self._follow(self._read_stored_links(url), depth)
        elif page.status == HTTPStatus.OK:
            yield from self._read(url, page, depth, lastmod)
        elif url == self._start and not self.config.sitemap:
            raise ConnectorError(
                f"The server responded with status {page.status} to the request for the first page."
            )
        elif page.status not in GONE:
            yield from self._fail(
                url, depth, f"The server responded with status {page.status}.", status=page.status
            )

    def _read(self, url: str, page: Download, depth: int, lastmod: str) -> Iterator[SourceItem]:
        name = get_page_name(url, page.media_type)
        if page.body is None or not name:
            return
        links = PageLinks()
        directives = page.headers.get("x-robots-tag", "")
        if page.media_type in HTML or name.endswith(".html"):
            links = read_links(_decode(page.body.read(MAX_LINKED_BYTES), page.charset), url, directives)
            page.body.seek(0)
        elif "noindex" in directives.lower():
            links = PageLinks(is_indexable=False)
        if links.is_indexable:
            version = build_version(page.headers, lastmod=lastmod if is_final(lastmod) else "")
            yield SourceItem(url, version, name, handle=page.body)
        page.body.close()
        self._follow(links, depth)

    def _fail(self, url: str, depth: int, error: str, *, status: int = 0) -> Iterator[SourceItem]:
        """Yield the item of a page that cannot be read, and follow the links of its stored file."""
        if url == self._start and not self.config.sitemap:
            raise ConnectorError(error)
        if url in self.context.known:
            self._follow(self._read_stored_links(url), depth)
        elif status in REFUSED:
            return
        elif not self.config.sitemap:
            # Its links are unknown, so pages may be missing from the listing.
            self.notice = "New pages could not be read, so the listing is incomplete."
        yield SourceItem(url, error=error)

    def _follow(self, links: PageLinks, depth: int) -> None:
        if self.config.sitemap or depth >= self.config.max_depth:
            return
        for url in links.urls:
            self._enqueue(url, depth + 1)
        if not links.is_complete:
            self.notice = TOO_MANY_LINKS

    def _read_stored_links(self, url: str) -> PageLinks:
        return read_links(_decode(self.context.read_known(url, MAX_LINKED_BYTES), None), url)

    def _request(self, url: str) -> Download:
        known = self.context.known.get(url)
        self._budget.wait()
        self._budget.requests -= 1
        page = download_page(
            self.session,
            url,
            version=known.version if known else "",
            max_bytes=self._budget.size,
            accepts=lambda media_type: bool(get_page_name(url, media_type)),
        )
        self._budget.size -= page.size
        return page

    def _read_robots(self) -> RobotsRules:
        """Return the site's rules. As in RFC 9309, a client error means that there are none.

        Raises:
            ConnectorError: The server failed, which forbids a crawl.
        """
        parts = urlsplit(self._start)
        url = f"{parts.scheme}://{parts.netloc}/robots.txt"
        try:
            page = download_page(self.session, url, max_bytes=MAX_ROBOTS_BYTES, max_redirects=5)
        except FetchError as error:
            raise ConnectorError(f"robots.txt cannot be read. {error}") from error
        if page.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ConnectorError(
                f"The server responded with status {page.status} to the request for robots.txt."
            )
        if page.body is None:
            return RobotsRules()
        with page.body:
            return parse_robots(page.body.read().decode("utf-8", "replace"))

    def _read_sitemaps(self) -> dict[str, str]:
        """Return the pages of the sitemap, or of the sitemaps of an index, with their `lastmod`.

        Raises:
            ConnectorError: One of them cannot be read.
        """
        pages: dict[str, str] = {}
        seen: set[str] = set()
        pending = deque([normalize_url(self.config.sitemap)])
        while pending and len(pages) <= MAX_URLS:
            url = pending.popleft()
            if url in seen or not has_same_host(url, self._start):
                continue
            if len(seen) >= MAX_SITEMAPS:
                raise ConnectorError(f"The site has more than {MAX_SITEMAPS} sitemaps.")
            seen.add(url)
            sitemap = parse_sitemap(self._open_sitemap(url))
            pages |= sitemap.pages
            pending.extend(sitemap.sitemaps)
        return pages

    def _open_sitemap(self, url: str) -> IO[bytes]:
        self._budget.wait()
        try:
            page = download_page(self.session, url, max_bytes=MAX_SITEMAP_BYTES, max_redirects=5)
            raise_for_status(page, "the sitemap")
        except FetchError as error:
            raise ConnectorError(str(error)) from error
        if page.body is None:
            raise ConnectorError("The server sent no sitemap.")
        return page.body


def _decode(data: bytes, charset: str | None) -> str:
    try:
        return data.decode(charset or "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")
