"""Items of an RSS or Atom feed: their text, or the pages that they link."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import IO
from xml.etree import ElementTree as ET

from config.http.fetch import FetchError
from config.http.session import DownloadSession
from knowledge.connectors.base import TIME_IS_OVER, SourceItem, SyncContext, iter_blocks
from knowledge.connectors.configs import RssConfig
from knowledge.connectors.links import normalize_url
from knowledge.connectors.pages import (
    build_version,
    download_page,
    get_page_name,
    parse_version,
    raise_for_status,
)
from knowledge.connectors.xml import find_text, get_name, parse_xml

MAX_FEED_BYTES = 20 * 1024 * 1024
MAX_ENTRIES = 5000


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """An item of a feed; `content` is HTML or text."""

    id: str
    link: str
    title: str
    updated: str
    content: str


class RssSource:
    """The items that the feed has now. Documents of earlier items stay unless `delete_missing` is set."""

    def __init__(self, config: RssConfig, context: SyncContext, session: DownloadSession) -> None:
        self.config, self.context, self.session = config, context, session
        self.follows_deletions = config.delete_missing
        self.notice = ""

    def list_items(self) -> Iterator[SourceItem]:
        version = self.context.state.get("feed", "")
        feed = download_page(
            self.session, self.config.url, version=version, max_bytes=MAX_FEED_BYTES, max_redirects=5
        )
        raise_for_status(feed, "the feed")
        if feed.body is None:
            # Without the entries, the documents of earlier items cannot be distinguished from the others.
            yield from (
                SourceItem(source, item.version, is_unchanged=True)
                for source, item in self.context.known.items()
            )
            return
        with feed.body:
            entries = read_entries(parse_xml(feed.body, max_bytes=MAX_FEED_BYTES))
        if len(entries) > MAX_ENTRIES:
            self.notice = f"The feed has more than {MAX_ENTRIES} items."
        for entry in entries[:MAX_ENTRIES]:
            if self.context.is_over():
                self.notice = TIME_IS_OVER
                return
            yield self._request(entry) if self.config.follow_links else _build_item(entry)
        # The linked pages change without the feed.
        if not self.config.follow_links:
            self.context.state["feed"] = build_version(feed.headers)

    def open_item(self, item: SourceItem) -> Iterator[bytes]:
        stream: IO[bytes] = item.handle
        return iter_blocks(stream)

    def _request(self, entry: FeedEntry) -> SourceItem:
        """Request the page that an item links; its known version is not sent again."""
        known = self.context.known.get(entry.link)
        if not entry.link:
            return SourceItem(entry.id, error="The item has no link.")
        if known and entry.updated and parse_version(known.version).get("updated") == entry.updated:
            return SourceItem(entry.link, known.version, is_unchanged=True)
        try:
            page = download_page(
                self.session, entry.link, version=known.version if known else "", max_redirects=5
            )
            raise_for_status(page, "the item")
        except FetchError as error:
            return SourceItem(entry.link, error=str(error))
        name = get_page_name(page.url, page.media_type)
        if page.body is None:
            return SourceItem(entry.link, known.version if known else "", is_unchanged=True)
        if not name:
            page.body.close()
            return SourceItem(entry.link, error="The type of the linked file is not supported.")
        version = build_version(page.headers, updated=entry.updated)
        return SourceItem(entry.link, version, name, entry.title, handle=page.body)


def read_entries(root: ET.Element) -> list[FeedEntry]:
    """Return the items of RSS 2.0 and 1.0, or the entries of Atom, newest first as in the feed."""
    found = (element for element in root.iter() if get_name(element) in ("item", "entry"))
    entries = (_read_entry(element) for element in found)
    return [entry for entry in entries if entry.id]


def _read_entry(element: ET.Element) -> FeedEntry:
    link = normalize_url(find_text(element, "link") or _find_link(element))
    return FeedEntry(
        id=(find_text(element, "guid", "id") or link)[:1000],
        link=link,
        title=" ".join(find_text(element, "title").split())[:500],
        updated=find_text(element, "updated", "pubDate", "date", "published")[:100],
        content=find_text(element, "encoded", "content", "description", "summary"),
    )


def _find_link(element: ET.Element) -> str:
    """Return the link of an Atom entry to its page."""
    links = [child.attrib for child in element if get_name(child) == "link"]
    return next((each.get("href", "") for each in links if each.get("rel", "alternate") == "alternate"), "")


def _build_item(entry: FeedEntry) -> SourceItem:
    """Return the item of an entry's text."""
    link = f'<p><a href="{escape(entry.link)}">{escape(entry.link)}</a></p>' if entry.link else ""
    html = f"<title>{escape(entry.title)}</title><h1>{escape(entry.title)}</h1>{link}{entry.content}".encode(
        "utf-8", "replace"
    )
    version = hashlib.sha256(html).hexdigest()
    return SourceItem(entry.link or entry.id, version, "item.html", entry.title, handle=io.BytesIO(html))
