"""The interface of connector sources, and the documents that a collection has from a source."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from django.core.files.storage import default_storage

USER_AGENT = "Conclave/1 (connector)"
READ_SIZE = 64 * 1024
TIME_IS_OVER = "The sync took too long and stopped; the next one continues."


class ConnectorError(Exception):
    """The source cannot be listed or an item cannot be read. The message is for users and has no secrets."""


@dataclass(frozen=True, slots=True)
class SourceItem:
    """An item of a source.

    Args:
        source: Identifier, unique in the source: a URL or a path.
        version: Changes with the content. Empty: unknown, so the content is compared.
        name: File name; its suffix determines the format.
        handle: Whatever the source needs to open the item.
        is_unchanged: The source reports the content of the known version; the item is not opened.
        error: Why the item, which exists, cannot be read.
    """

    source: str
    version: str = ""
    name: str = ""
    title: str = ""
    handle: Any = None
    is_unchanged: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class KnownItem:
    """A document of an earlier sync: its version and the path of its stored file."""

    version: str
    path: str = ""


@dataclass
class SyncContext:
    """Documents and validators of earlier syncs.

    Args:
        known: Documents by source.
        state: Validators of the latest complete listing; sources replace them.
        deadline: Time of the monotonic clock at which a listing stops.
    """

    known: Mapping[str, KnownItem] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    deadline: float = math.inf

    def is_over(self) -> bool:
        """Return whether the time for the listing is over."""
        return time.monotonic() > self.deadline

    def read_known(self, source: str, size: int) -> bytes:
        """Return the first bytes of the stored file of a document, or none."""
        item = self.known.get(source)
        if item is None or not item.path:
            return b""
        try:
            with default_storage.open(item.path, "rb") as stored:
                return stored.read(size)
        except FileNotFoundError:
            return b""


class ConnectorSource(Protocol):
    """A source that lists items with versions and opens them.

    Attributes:
        follows_deletions: Whether documents are deleted whose item the listing does not have.
        notice: Why the listing is incomplete; known after the listing, empty if it is complete.
    """

    follows_deletions: bool
    notice: str

    def list_items(self) -> Iterator[SourceItem]:
        """Yield the items. `open_item` is called before the next item is requested.

        Raises:
            ConnectorError: The source cannot be listed.
        """
        ...

    def open_item(self, item: SourceItem) -> Iterator[bytes]:
        """Yield the content of an item in blocks.

        Raises:
            ConnectorError: It cannot be read.
        """
        ...


def iter_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of an open file in blocks, and close it."""
    with stream:
        while block := stream.read(READ_SIZE):
            yield block


def matches_paths(path: str, include: list[str], exclude: list[str]) -> bool:
    """Return whether `path` has an included prefix, or none is given, and no excluded one."""
    return (not include or path.startswith(tuple(include))) and not path.startswith(tuple(exclude))
