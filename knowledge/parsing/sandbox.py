"""Parses untrusted files in subprocesses with memory and CPU limits (`sandbox_worker.py`).

This includes text files: 60 kB of HTML can keep Python's parser busy for minutes. The worker process is kept and forks
for each file, which takes milliseconds.
"""

import atexit
import contextlib
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import IO, Any

from knowledge.chunking import ChunkText
from knowledge.enrichment import ChunkInsight
from knowledge.parsing import ParsedDocument, ParseError, ParseOptions, Section

WORKER_PATH = Path(__file__).with_name("sandbox_worker.py")
MAX_RESPONSE = 100 * 1024 * 1024
READ_SIZE = 1024 * 1024
GRACE = 5
TIMEOUT_EXIT_CODES = (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGALRM)


@dataclass(frozen=True, slots=True)
class ChunkedDocument:
    """A file's chunks and their insights."""

    title: str
    media_type: str
    metadata: dict[str, Any]
    warnings: list[dict[str, Any]]
    pieces: list[ChunkText]
    insights: list[ChunkInsight]


class ParserPool:
    """Pool of parser processes, started on demand and reused."""

    def __init__(self, count: int) -> None:
        self._free: queue.LifoQueue[_ParserProcess] = queue.LifoQueue()
        for _ in range(count):
            self._free.put(_ParserProcess())

    def end(self) -> None:
        """Stop the idle processes."""
        with contextlib.suppress(queue.Empty):
            readers = [self._free.get_nowait() for _ in range(self._free.qsize())]
            for reader in readers:
                reader.end()
                self._free.put(reader)

    @contextlib.contextmanager
    def _one(self) -> Iterator["_ParserProcess"]:
        reader = self._free.get()
        try:
            yield reader
        finally:
            self._free.put(reader)

    def parse(
        self,
        stream: IO[bytes],
        name: str,
        *,
        megabytes: int,
        seconds: int,
        options: ParseOptions | None = None,
    ) -> ParsedDocument:
        """Parse the document in `stream`, waiting for a free process.

        Args:
            megabytes: Memory limit.
            seconds: CPU time limit; the wall-clock limit is twice as long plus 30 seconds and the time for OCR.

        Raises:
            ParseError: If it cannot be parsed within the limits.
        """
        response = self._run_parser(stream, name, megabytes, seconds, options, None)
        text = response["text"]
        sections = [
            Section(title, text[start:end], page, start, end)
            for title, page, start, end in response["sections"]
        ]
        return ParsedDocument(
            text,
            response["title"],
            response["media_type"],
            sections,
            response["metadata"],
            response["warnings"],
        )

    def cut(
        self,
        stream: IO[bytes],
        name: str,
        *,
        size: int,
        overlap: int,
        most: int,
        megabytes: int,
        seconds: int,
        language: str = "",
        options: ParseOptions | None = None,
    ) -> ChunkedDocument:
        """Parse and chunk the document in `stream` within the limits.

        Raises:
            ParseError: If it cannot be parsed within the limits or has more than `most` chunks.
        """
        cut = {"size": size, "overlap": overlap, "most": most, "language": language}
        response = self._run_parser(stream, name, megabytes, seconds, options, cut)
        rows = response["chunks"]
        pieces = [ChunkText(number, *row[:7]) for number, row in enumerate(rows)]
        insights = [ChunkInsight(*row[7:]) for row in rows]
        return ChunkedDocument(
            response["title"],
            response["media_type"],
            response["metadata"],
            response["warnings"],
            pieces,
            insights,
        )

    def _run_parser(
        self,
        stream: IO[bytes],
        name: str,
        megabytes: int,
        seconds: int,
        options: ParseOptions | None,
        cut: dict[str, Any] | None,
    ) -> dict[str, Any]:
        followed = options or ParseOptions()
        patience = seconds * 2 + 30 + followed.ocr_seconds
        request = {"name": name, "megabytes": megabytes, "seconds": seconds, "patience": patience}
        with self._one() as reader:
            output, code = reader.ask(stream.fileno(), request | {"cut": cut, "options": asdict(followed)})
        short = PurePath(name).name
        if code in TIMEOUT_EXIT_CODES:
            raise ParseError(f"{short}: reading it takes more than {seconds} s of processor time")
        if code:
            raise ParseError(f"{short}: reading it failed, or takes more than {megabytes} MB of memory")
        response: dict[str, Any] = json.loads(output)
        if error := response.get("error"):
            raise ParseError(error)
        return response


class _ParserProcess:
    """A parser process and its socket."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._owner = 0

    def ask(self, source: int, asked: dict[str, Any]) -> tuple[bytes, int]:
        """Return the response and the exit code of the process that parsed the file."""
        message, end = json.dumps(asked).encode(), time.monotonic() + asked["patience"] + GRACE
        for last in (False, True):
            try:
                return self._send_request(source, message, end)
            except TimeoutError:
                self.end()
                return b"", -signal.SIGALRM
            except (OSError, ValueError):
                # The process was killed, perhaps after the last file: retry once with a new one.
                self.end()
                if last:
                    break
        return b"", 1

    def _send_request(self, source: int, message: bytes, end: float) -> tuple[bytes, int]:
        link = self._connect()
        out, target = os.pipe()
        try:
            try:
                socket.send_fds(link, [message], [source, target])
            finally:
                os.close(target)
            output = b"".join(_read_pipe(out, link, end))
            if len(output) > MAX_RESPONSE:
                self.end()
                return b"", 1
            link.settimeout(max(0.1, end - time.monotonic()))
            code = int(link.recv(64))
            link.settimeout(None)
            return output, code
        finally:
            os.close(out)

    def _connect(self) -> socket.socket:
        alive = self._process is not None and self._process.poll() is None
        if self._link is not None and alive and self._owner == os.getpid():
            return self._link
        self.end()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(WORKER_PATH), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._link, self._owner = ours, os.getpid()
        atexit.register(self.end)
        return ours

    def end(self) -> None:
        """Stop the process and its forks."""
        atexit.unregister(self.end)
        if self._link is not None:
            self._link.close()
        if self._process is not None and self._owner == os.getpid():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._process = self._link = None


def _read_pipe(out: int, link: socket.socket, end: float) -> Iterator[bytes]:
    """Yield blocks from the pipe until its end or just above `MAX_RESPONSE`.

    Raises:
        ConnectionError: If the process at the other end of `link` has exited.
        TimeoutError: If the deadline `end` passes.
    """
    size, watch = 0, select.poll()
    watch.register(out, select.POLLIN)
    watch.register(link, 0)
    while size <= MAX_RESPONSE:
        ready = dict(watch.poll(max(0.0, end - time.monotonic()) * 1000))
        if not ready:
            raise TimeoutError
        if out not in ready:
            raise ConnectionError
        piece = os.read(out, READ_SIZE)
        if not piece:
            return
        size += len(piece)
        yield piece
