"""Messages of a mailbox folder, over TLS. A version is UIDVALIDITY and UID, since a message never changes."""

import imaplib
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

from django.conf import settings

from config.http.ssrf import may_reach
from config.http.tls import ssl_context
from knowledge.connectors.base import TIME_IS_OVER, ConnectorError, SourceItem, SyncContext
from knowledge.connectors.configs import ImapConfig

STEP_SECONDS = 30.0
MAX_SECONDS = 3600.0
BATCH_SIZE = 200
# A literal that is not a message, such as a long answer to SEARCH.
MAX_LITERAL_BYTES = 1024 * 1024
SIZE = re.compile(rb"UID (\d+)")
BYTES = re.compile(rb"RFC822\.SIZE (\d+)")
FAILURES = (imaplib.IMAP4.error, OSError, ssl.SSLError, UnicodeError, ValueError)


class ImapSource:
    """The newest messages of a folder, which is opened read-only."""

    follows_deletions = True

    def __init__(self, config: ImapConfig, context: SyncContext, credentials: dict[str, str]) -> None:
        self.config, self.context, self._credentials = config, context, credentials
        self.notice = ""
        self._client: Any = None

    def list_items(self) -> Iterator[SourceItem]:
        if not self._credentials:
            raise ConnectorError("Enter the credentials again: username and password.")
        with self._connect() as self._client:
            validity, uids = self._list_uids()
            for start in range(0, len(uids), BATCH_SIZE):
                yield from self._list_batch(validity, uids[start : start + BATCH_SIZE])
                if self.context.is_over():
                    self.notice = TIME_IS_OVER
                    return

    def open_item(self, item: SourceItem) -> Iterator[bytes]:
        try:
            self._client.literal_limit = settings.UPLOAD_MAX_BYTES
            status, found = self._client.uid("FETCH", str(item.handle), "(BODY.PEEK[])")
        except FAILURES as error:
            raise ConnectorError("The server does not send the message.") from error
        parts = [part[1] for part in found if isinstance(part, tuple)]
        if status != "OK" or len(parts) != 1:
            raise ConnectorError("The server does not send the message.")
        yield parts[0]

    def _list_batch(self, validity: str, uids: list[int]) -> Iterator[SourceItem]:
        sources = {uid: self._get_source(uid) for uid in uids}
        versions = {uid: f"{validity}:{uid}" for uid in uids}
        new = [
            uid
            for uid in uids
            if sources[uid] not in self.context.known
            or self.context.known[sources[uid]].version != versions[uid]
        ]
        sizes = self._list_sizes(new) if new else {}
        for uid in uids:
            is_large = sizes.get(uid, 0) > settings.UPLOAD_MAX_BYTES
            error = "The message is too large." if is_large else ""
            yield SourceItem(sources[uid], versions[uid], f"{uid}.eml", handle=uid, error=error)

    def _get_source(self, uid: int) -> str:
        return f"imap://{self.config.host}/{quote(self.config.folder)};UID={uid}"

    def _list_uids(self) -> tuple[str, list[int]]:
        """Return UIDVALIDITY and the UIDs of the newest messages.

        Raises:
            ConnectorError: The folder cannot be opened.
        """
        folder = self.config.folder.replace("\\", "\\\\").replace('"', '\\"')
        try:
            status, _ = self._client.select(f'"{folder}"', readonly=True)
            if status != "OK":
                raise ConnectorError("The folder of the mailbox cannot be opened.")
            (validity,) = self._client.response("UIDVALIDITY")[1]
            status, found = self._client.uid("SEARCH", "UNDELETED")
            uids = sorted(int(uid) for line in found for uid in (line or b"").split())
        except FAILURES as error:
            raise ConnectorError("The folder of the mailbox cannot be listed.") from error
        if status != "OK" or not isinstance(validity, bytes):
            raise ConnectorError("The folder of the mailbox cannot be listed.")
        return str(int(validity)), uids[-self.config.max_messages :]

    def _list_sizes(self, uids: list[int]) -> dict[int, int]:
        try:
            status, found = self._client.uid("FETCH", ",".join(map(str, uids)), "(RFC822.SIZE)")
        except FAILURES as error:
            raise ConnectorError("The folder of the mailbox cannot be listed.") from error
        if status != "OK":
            raise ConnectorError("The folder of the mailbox cannot be listed.")
        lines = [line for line in found if isinstance(line, bytes)]
        pairs = [(SIZE.search(line), BYTES.search(line)) for line in lines]
        return {int(uid[1]): int(size[1]) for uid, size in pairs if uid and size}

    @contextmanager
    def _connect(self) -> Iterator["_GuardedClient"]:
        """Open a connection and sign in.

        Raises:
            ConnectorError: The server cannot be reached or refuses the credentials.
        """
        seconds = min(MAX_SECONDS, self.context.deadline - time.monotonic())
        try:
            client = _GuardedClient(self.config.host, self.config.port, max(seconds, 1.0))
        except FAILURES as error:
            # Same message for forbidden and unreachable addresses, so that it does not reveal the internal network.
            raise ConnectorError("The server cannot be reached over TLS.") from error
        username, password = self._credentials["username"], self._credentials["password"]
        try:
            try:
                client.authenticate("PLAIN", lambda _: f"\0{username}\0{password}".encode())
            except FAILURES:
                # The server's answer may repeat the credentials.
                raise ConnectorError("The server refuses the credentials.") from None
            yield client
        finally:
            client.end()


class _GuardedClient(imaplib.IMAP4_SSL):
    """A connection to an allowed address with limits of time and literals."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self.literal_limit = MAX_LITERAL_BYTES
        # A server that sends a byte now and then would never exceed the timeout of a step.
        self._watchdog = threading.Timer(seconds, self._cut)
        self._watchdog.daemon = True
        self._raw: socket.socket | None = None
        self._watchdog.start()
        try:
            super().__init__(host, port, ssl_context=ssl_context(trust_env=True), timeout=STEP_SECONDS)
        except BaseException:
            self._watchdog.cancel()
            raise

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not all(may_reach(address, settings.FETCH_NETWORKS) for address in addresses):
            raise OSError("the address is not allowed")
        self._raw = socket.create_connection((addresses[0], self.port), timeout)
        return ssl_context(trust_env=True).wrap_socket(self._raw, server_hostname=self.host)

    def read(self, size: int) -> bytes:
        """Return a literal.

        Raises:
            imaplib.IMAP4.abort: It is larger than the limit.
        """
        if size > self.literal_limit:
            raise self.abort("the literal is too large")
        return super().read(size)

    def end(self) -> None:
        """Sign out and close the connection."""
        self._watchdog.cancel()
        with suppress(*FAILURES):
            self.logout()
        with suppress(OSError):
            self.shutdown()

    def _cut(self) -> None:
        if self._raw is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
