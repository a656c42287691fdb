"""Conditional downloads of pages, whose version has the validators of the response."""

import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from config.http.fetch import FetchError
from config.http.session import Download, DownloadRequest, DownloadSession
from knowledge.parsing import COLLECTED, get_media_suffix, get_suffix

HTML = frozenset({"text/html", "application/xhtml+xml"})
# Longer ones are ignored, so that a version fits its column.
MAX_VALIDATOR, MAX_VERSION = 300, 1000
VALIDATORS = {"etag": "If-None-Match", "modified": "If-Modified-Since"}
UNKNOWN_MEDIA = frozenset({"", "application/octet-stream", "binary/octet-stream"})


@dataclass
class PageBudget:
    """Remaining requests and bytes, and the pause between requests."""

    requests: int
    size: int
    delay: float = 0.0
    is_started: bool = False

    def wait(self) -> None:
        """Wait before the next request."""
        if self.is_started and self.delay:
            time.sleep(self.delay)
        self.is_started = True


def download_page(
    session: DownloadSession, url: str, *, version: str = "", max_bytes: int = 0, **options: Any
) -> Download:
    """Request a page; status 304 means that it still has the known version.

    Raises:
        FetchError: See `DownloadSession.download`.
    """
    headers = {
        VALIDATORS[name]: value for name, value in parse_version(version).items() if name in VALIDATORS
    }
    most = min(settings.UPLOAD_MAX_BYTES, max_bytes) if max_bytes else settings.UPLOAD_MAX_BYTES
    return session.download(DownloadRequest(url, most, headers=headers, **options))


def build_version(headers: dict[str, str], **further: str) -> str:
    """Return the version of a page: its entity tag and modification date, and `further` members."""
    found = {"etag": headers.get("etag", ""), "modified": headers.get("last-modified", ""), **further}
    kept = {name: value for name, value in found.items() if value and len(value) <= MAX_VALIDATOR}
    version = json.dumps(kept, sort_keys=True) if kept else ""
    return version if len(version) <= MAX_VERSION else ""


def parse_version(version: str) -> dict[str, str]:
    """Return the members of a version that `build_version` made."""
    try:
        found = json.loads(version)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def get_page_name(url: str, media_type: str) -> str:
    """Return a file name with the suffix of the format; empty if the format is not supported."""
    name = PurePosixPath(urlsplit(url).path).name
    suffix = get_media_suffix(media_type)
    if not suffix and media_type in UNKNOWN_MEDIA:
        suffix = get_suffix(PurePosixPath(name)) if name else ".html"
    if not suffix or suffix not in COLLECTED:
        return ""
    stem = PurePosixPath(name).stem or "page"
    return f"{stem}{suffix}"


def raise_for_status(page: Download, what: str) -> None:
    """Require status 200 or 304.

    Raises:
        FetchError: The server responded with another status.
    """
    if page.status not in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        raise FetchError(f"The server responded with status {page.status} to the request for {what}.")
