"""Files of a Git repository from a tarball. A version is the hash that Git gives the blob.

Nothing is unpacked to disk, so names in the archive cannot escape a folder.
"""

import gzip
import hashlib
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from django.conf import settings

from config.http.session import MAX_SPOOLED, DownloadRequest, DownloadSession
from knowledge.connectors.base import (
    TIME_IS_OVER,
    ConnectorError,
    SourceItem,
    SyncContext,
    iter_blocks,
)
from knowledge.connectors.configs import MAX_ITEMS, GitConfig
from knowledge.connectors.git import is_wanted
from knowledge.connectors.pages import raise_for_status

SECONDS = 600
# Members that are not listed count too, such as folders.
MAX_MEMBERS = 4 * MAX_ITEMS
MAX_HEADER_BYTES = 1024 * 1024
TOO_LARGE = "The repository is too large."


class GitArchiveSource:
    """Supported files of a `.tar.gz`, without its outermost folder."""

    follows_deletions = True

    def __init__(
        self, config: GitConfig, context: SyncContext, session: DownloadSession, credentials: dict[str, str]
    ) -> None:
        self.config, self.context, self.session = config, context, session
        self.notice = ""
        self._token = credentials.get("token", "")

    def list_items(self) -> Iterator[SourceItem]:
        if self._token and not self.config.url.startswith("https://"):
            raise ConnectorError("A token is sent over https:// only.")
        etag = self.context.state.get("etag", "")
        request = DownloadRequest(
            self.config.url,
            self.config.max_megabytes * 1024**2,
            seconds=SECONDS,
            headers={"If-None-Match": etag} if etag else {},
            credentials={"Authorization": f"Bearer {self._token}"} if self._token else {},
            max_redirects=5,
        )
        page = self.session.download(request)
        raise_for_status(page, "the archive")
        if page.body is None:
            for source, item in self.context.known.items():
                yield SourceItem(source, item.version, is_unchanged=True)
            return
        with page.body:
            yield from self._read(page.body)
        self.context.state["etag"] = page.headers.get("etag", "")

    def open_item(self, item: SourceItem) -> Iterator[bytes]:
        stream: IO[bytes] = item.handle
        return iter_blocks(stream)

    def _read(self, stream: IO[bytes]) -> Iterator[SourceItem]:
        """Yield the files of the archive.

        Raises:
            ConnectorError: It is damaged or exceeds a limit.
        """
        unpacked: Any = _BoundedGzip(stream, self.config.max_megabytes * 1024**2)
        try:
            with tarfile.open(fileobj=unpacked, mode="r|", tarinfo=_BoundedTarInfo) as archive:
                for count, member in enumerate(archive):
                    archive.members.clear()  # type: ignore[attr-defined]
                    if count > MAX_MEMBERS or self.context.is_over():
                        self.notice = TOO_LARGE if count > MAX_MEMBERS else TIME_IS_OVER
                        return
                    path = "/".join(PurePosixPath(member.name).parts[1:])
                    if member.isreg() and not member.issparse() and is_wanted(path, member.size, self.config):
                        yield self._build_item(archive, member, path)
        except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
            raise ConnectorError("The archive is damaged or not a .tar.gz file.") from error

    def _build_item(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> SourceItem:
        content = archive.extractfile(member)
        if content is None or member.size > settings.UPLOAD_MAX_BYTES:
            return SourceItem(path, error="The file is too large.")
        digest = hashlib.sha1(b"blob %d\0" % member.size, usedforsecurity=False)
        copy = tempfile.SpooledTemporaryFile(MAX_SPOOLED)  # noqa: SIM115 - closed with the item
        for block in iter_blocks(content):
            digest.update(block)
            copy.write(block)
        copy.seek(0)
        return SourceItem(path, digest.hexdigest(), PurePosixPath(path).name, handle=copy)


class _BoundedGzip:
    """The content of a gzip file, up to a size."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._unpacked, self._left = gzip.GzipFile(fileobj=stream, mode="rb"), size

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes.

        Raises:
            ConnectorError: The content is larger than the limit.
        """
        block = self._unpacked.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise ConnectorError(TOO_LARGE)
        return block


class _BoundedTarInfo(tarfile.TarInfo):
    """A member whose extended headers, which are read into memory, have a limit."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type not in tarfile.REGULAR_TYPES and self.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError("the header is too large")
        return super()._proc_member(archive)  # type: ignore[misc]
