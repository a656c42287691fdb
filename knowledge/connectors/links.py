"""URLs, links and robots directives of pages. All functions take linear time on any input."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import urljoin, urlsplit, urlunsplit

MAX_URL_LENGTH = 1000
MAX_LINKS = 5000
DEFAULT_PORTS = {"http": 80, "https": 443}
# A tag cannot contain `<` here, so each character is scanned once.
TAG = re.compile(r"<(a|area|base|meta)\s([^<>]{0,4000})>", re.IGNORECASE)
ATTRIBUTE = re.compile(
    r"(?<![\w-])([\w-]{1,40})\s{0,10}=\s{0,10}(\"[^\"]{0,2000}\"|'[^']{0,2000}'|[^\s\"'>]{1,2000})"
)
# Sections without links, by their start and end.
IGNORED = [("<!--", "-->"), ("<script", "</script"), ("<style", "</style"), ("<template", "</template")]


@dataclass(frozen=True, slots=True)
class PageLinks:
    """Links of a page as canonical URLs, and whether its robots directives allow indexing.

    Of more than `MAX_LINKS` links, the first ones are listed.
    """

    urls: tuple[str, ...] = ()
    is_indexable: bool = True
    is_complete: bool = True


def normalize_url(url: str) -> str:
    """Return the canonical form of an absolute URL, without its fragment; empty if it is not usable."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in DEFAULT_PORTS or not host or "@" in parts.netloc or len(url) > MAX_URL_LENGTH:
        return ""
    host = f"[{host}]" if ":" in host else host
    netloc = host if port in (None, DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    return urlunsplit((scheme, netloc, parts.path or "/", parts.query, ""))


def has_same_host(url: str, other: str) -> bool:
    """Return whether two canonical URLs have the same host and port; http and https are the same."""
    first, second = urlsplit(url), urlsplit(other)
    return (first.hostname, first.port) == (second.hostname, second.port)


def read_links(text: str, url: str, directives: str = "") -> PageLinks:
    """Return the links of an HTML page.

    Args:
        directives: The header `X-Robots-Tag`.
    """
    base, rules = url, _split_directives(directives)
    found: dict[str, None] = {}
    count = 0
    for tag, attributes in _iter_tags(text):
        if tag == "meta" and attributes.get("name", "").lower() in ("robots", "conclave"):
            rules |= _split_directives(attributes.get("content", ""))
        elif tag == "base" and "href" in attributes:
            base = _join(url, attributes["href"]) or base
        elif tag in ("a", "area") and "href" in attributes and (count := count + 1) <= MAX_LINKS:
            is_followed = "nofollow" not in attributes.get("rel", "").lower().split()
            if is_followed and (target := normalize_url(_join(base, attributes["href"]))):
                found[target] = None
    urls = () if rules & {"nofollow", "none"} else tuple(found)
    return PageLinks(urls, not rules & {"noindex", "none"}, count <= MAX_LINKS)


def _split_directives(text: str) -> set[str]:
    return {part.strip().lower() for part in text.split(",")}


def _join(base: str, target: str) -> str:
    try:
        return urljoin(base, target.strip())
    except ValueError:
        return ""


def _iter_tags(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    for start, end in IGNORED:
        text = _drop_sections(text, start, end)
    for tag in TAG.finditer(text):
        yield (
            tag[1].lower(),
            {name.lower(): unescape(value.strip("\"'")) for name, value in ATTRIBUTE.findall(tag[2])},
        )


def _drop_sections(text: str, start: str, end: str) -> str:
    """Return `text` without the sections between two markers; an open section ends with the text."""
    opening, closing = re.compile(re.escape(start), re.IGNORECASE), re.compile(re.escape(end), re.IGNORECASE)
    kept, position = [], 0
    while found := opening.search(text, position):
        kept.append(text[position : found.start()])
        closed = closing.search(text, found.end())
        if closed is None:
            return "".join(kept)
        position = closed.end()
    return "".join([*kept, text[position:]])
