"""Sitemaps and sitemap indexes (sitemaps.org)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import IO

from knowledge.connectors.links import normalize_url
from knowledge.connectors.xml import find_text, get_name, parse_xml

MAX_URLS = 50_000


@dataclass(frozen=True, slots=True)
class Sitemap:
    """Pages with their `lastmod`, or the sitemaps of an index."""

    pages: dict[str, str]
    sitemaps: tuple[str, ...]


def parse_sitemap(stream: IO[bytes]) -> Sitemap:
    """Return the entries of a sitemap or a sitemap index, as canonical URLs.

    Raises:
        ConnectorError: It is not well-formed, or exceeds a limit.
    """
    pages: dict[str, str] = {}
    sitemaps: list[str] = []
    for entry in parse_xml(stream):
        url = normalize_url(find_text(entry, "loc"))
        if url and get_name(entry) == "sitemap":
            sitemaps.append(url)
        elif url and get_name(entry) == "url" and len(pages) < MAX_URLS:
            pages[url] = find_text(entry, "lastmod")[:40]
    return Sitemap(pages, tuple(sitemaps))


def is_final(lastmod: str) -> bool:
    """Return whether a later change of the page will have another `lastmod`.

    A date without a time can name several changes until the day is over.
    """
    if not lastmod:
        return False
    try:
        return date.fromisoformat(lastmod) < datetime.now(UTC).date()
    except ValueError:
        return "T" in lastmod
