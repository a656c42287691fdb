"""Schemas of connector configurations and names of their credentials, by kind."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any

from django.conf import settings
from pydantic import Field, StringConstraints

from config.db.json_schema import SchemaError, StrictSchema
from config.http.fetch import FetchError, check_url
from knowledge.choices import ConnectorKind

Address = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Path = Annotated[str, StringConstraints(max_length=500)]
Paths = Annotated[list[Path], Field(max_length=50)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
GIT_REF = re.compile(r"[A-Za-z0-9_][\w./-]{0,199}")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
MAX_ITEMS = 50_000
NO_ROOT = "The operator has not enabled server folders (CONNECTORS_ROOT)"


class WebsiteConfig(StrictSchema):
    """Pages of one host: those that a crawl finds from `url`, or those that `sitemap` lists."""

    url: Address = Field(description="Page where the crawl starts, and the host of all pages.")
    sitemap: str = Field("", max_length=1000, description="URL of a sitemap or sitemap index to use instead.")
    max_pages: int = Field(1000, ge=1, le=20_000, description="Maximum number of requested pages.")
    max_depth: int = Field(5, ge=0, le=50, description="Maximum number of links from the first page.")
    max_megabytes: int = Field(500, ge=1, le=10_000, description="Maximum size of all pages.")
    delay_seconds: float = Field(1.0, ge=0, le=60, description="Pause between two requests.")
    include_paths: Paths = Field(default_factory=list, description="Prefixes of paths; empty: all.")
    exclude_paths: Paths = Field(default_factory=list, description="Prefixes of paths to leave out.")

    def find_conflicts(self) -> Iterator[SchemaError]:
        yield from _check_address("url", self.url)
        if self.sitemap:
            yield from _check_address("sitemap", self.sitemap)


class GitConfig(StrictSchema):
    """Files of a Git repository: a repository below the server folder, or a tarball."""

    path: Path = Field("", description="Repository below the organisation's server folder.")
    ref: str = Field("HEAD", max_length=200, description="Branch, tag or commit of the repository.")
    url: str = Field(
        "",
        max_length=1000,
        description="URL of a .tar.gz of the repository; a token is sent over HTTPS only.",
    )
    include_paths: Paths = Field(default_factory=list, description="Prefixes of paths; empty: all.")
    exclude_paths: Paths = Field(default_factory=list, description="Prefixes of paths to leave out.")
    max_megabytes: int = Field(500, ge=1, le=10_000, description="Maximum size of all files.")

    def find_conflicts(self) -> Iterator[SchemaError]:
        if bool(self.path) == bool(self.url):
            yield ("path",), "Enter either path or url."
        elif self.url:
            yield from _check_address("url", self.url)
        else:
            yield from _check_folder(self.path)
        if not GIT_REF.fullmatch(self.ref) or ".." in self.ref:
            yield ("ref",), "Enter the name of a branch, a tag or a commit."


class FolderConfig(StrictSchema):
    """Files of a server folder."""

    path: Path = Field("", description="Folder below the organisation's server folder; empty: all of it.")
    exclude_paths: Paths = Field(default_factory=list, description="Prefixes of paths to leave out.")

    def find_conflicts(self) -> Iterator[SchemaError]:
        yield from _check_folder(self.path)


class S3Config(StrictSchema):
    """Objects of an S3 bucket."""

    endpoint: Address = Field(description="URL of the service, such as https://s3.eu-central-1.amazonaws.com")
    bucket: Name = Field(description="Name of the bucket.")
    prefix: Path = Field("", description="Prefix of the keys.")
    region: Name = Field("us-east-1", description="Region that signatures name.")

    def find_conflicts(self) -> Iterator[SchemaError]:
        yield from _check_address("endpoint", self.endpoint)
        if not BUCKET.fullmatch(self.bucket):
            yield ("bucket",), "Enter a bucket name: lower-case letters, digits, dots and hyphens."


class ImapConfig(StrictSchema):
    """Messages of a mailbox folder, read over TLS."""

    host: Name = Field(description="Host name of the server.")
    port: int = Field(993, ge=1, le=65535, description="Port for IMAP over TLS.")
    folder: Name = Field("INBOX", description="Folder of the mailbox.")
    max_messages: int = Field(5000, ge=1, le=MAX_ITEMS, description="Number of newest messages to keep.")

    def find_conflicts(self) -> Iterator[SchemaError]:
        if not HOST.fullmatch(self.host):
            yield ("host",), "Enter a host name."
        if self.port not in (993, *settings.FETCH_PORTS):
            yield ("port",), f"Port {self.port} is not allowed."
        if not self.folder.isprintable() or not self.folder.isascii():
            yield ("folder",), "Enter the name of the folder in modified UTF-7."


class RssConfig(StrictSchema):
    """Items of an RSS or Atom feed."""

    url: Address = Field(description="URL of the feed.")
    follow_links: bool = Field(
        False, description="Whether to read the linked page instead of the item's text."
    )
    delete_missing: bool = Field(False, description="Whether to delete documents whose item left the feed.")

    def find_conflicts(self) -> Iterator[SchemaError]:
        yield from _check_address("url", self.url)


CONFIGS: dict[str, type[StrictSchema]] = {
    ConnectorKind.WEBSITE: WebsiteConfig,
    ConnectorKind.GIT: GitConfig,
    ConnectorKind.FOLDER: FolderConfig,
    ConnectorKind.S3: S3Config,
    ConnectorKind.IMAP: ImapConfig,
    ConnectorKind.RSS: RssConfig,
}
CREDENTIALS: dict[str, tuple[str, ...]] = {
    ConnectorKind.WEBSITE: (),
    ConnectorKind.GIT: ("token",),
    ConnectorKind.FOLDER: (),
    ConnectorKind.S3: ("access_key", "secret_key"),
    ConnectorKind.IMAP: ("username", "password"),
    ConnectorKind.RSS: (),
}


def get_target(kind: str, config: Any) -> tuple[str, str]:
    """Return the kind and the address that credentials are sent to."""
    given = config if isinstance(config, dict) else {}
    return kind, " ".join(str(given.get(name, "")) for name in ("url", "endpoint", "host", "port"))


def _check_address(name: str, url: str) -> Iterator[SchemaError]:
    try:
        check_url(url)
    except FetchError as error:
        yield (name,), str(error)


def _check_folder(path: str) -> Iterator[SchemaError]:
    if not settings.CONNECTORS_ROOT:
        yield ("path",), f"{NO_ROOT}."
    elif PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or not path.isprintable():
        yield ("path",), "Enter a relative path without `..`."
