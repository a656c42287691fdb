"""Scripted model server for tests: OpenAI chat completions and embeddings on 127.0.0.1.

    with FakeOpenAI(call_tool("search_knowledge", query="tides"), say("High water is at noon.")) as server:
        model = build_model("openai-compatible", "any", base_url=server.base_url, api_key="k")

Each request consumes the next reply of the script; the last reply is repeated.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """One scripted reply.

    `cut` drops the connection, `ragged` ends a stream without its last event, `pace` is the delay in seconds before
    each stream event, and `location` is a redirect target.
    """

    text: str = ""
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    delay: float = 0.0
    retry_after: float | None = None
    raw: bytes | None = None
    cut: bool = False
    ragged: bool = False
    pace: float = 0.0
    location: str = ""


def say(text: str) -> ScriptedReply:
    """Return a complete text reply."""
    return ScriptedReply(text=text)


def call_tool(name: str, /, **arguments: Any) -> ScriptedReply:
    """Return a tool call; it becomes the text "no tools" if the request does not offer the tool."""
    return ScriptedReply(tool=name, arguments=arguments)


def slow(seconds: float, text: str = "Late.") -> ScriptedReply:
    """Return a reply delayed by `seconds`."""
    return ScriptedReply(text=text, delay=seconds)


def fail(status: int, retry_after: float | None = None) -> ScriptedReply:
    """Return an error such as 429 or 500; `retry_after` sets the header, in seconds."""
    return ScriptedReply(status=status, retry_after=retry_after)


def redirect(location: str) -> ScriptedReply:
    """Return a redirect."""
    return ScriptedReply(status=307, location=location)


def half_stream(text: str = "The answer begins", *, ragged: bool = False) -> ScriptedReply:
    """Return a stream that drops the connection, or, if `ragged`, ends without its last event."""
    return ScriptedReply(text=text, cut=not ragged, ragged=ragged)


def invalid_reply(body: bytes = b"{<html>not json") -> ScriptedReply:
    """Return status 200 with an invalid body."""
    return ScriptedReply(raw=body)


def unreachable_url() -> str:
    """Return a base URL on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A received request; header names are lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class FakeOpenAI:
    """Context manager of the server; `requests` records what arrived, `base_url` ends in /v1."""

    def __init__(self, *script: ScriptedReply, dimensions: int = 384) -> None:
        self.script = list(script) or [say("Fine.")]
        self.dimensions = dimensions
        self.requests: list[RecordedRequest] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.fake = self  # type: ignore[attr-defined]

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the request handler; override it for other protocols."""
        return OpenAIHandler

    @property
    def base_url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        # A short poll: the default makes every shutdown wait half a second.
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def begins(self) -> None:
        """Hook called before the first event of each stream, for time measurements."""

    def take(self, request: RecordedRequest) -> ScriptedReply:
        """Record `request` and return its reply."""
        with self._lock:
            self.requests.append(request)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class OpenAIHandler(BaseHTTPRequestHandler):
    """OpenAI request handler that follows the script of its `FakeOpenAI`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        fake: FakeOpenAI = self.server.fake  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = fake.take(RecordedRequest(self.path, headers, body))
        fake.closing.wait(reply.delay)
        # Clients that time out during a slow reply have closed the connection.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._answer(fake, reply, body)

    def do_GET(self) -> None:
        """Return the list of models."""
        fake: FakeOpenAI = self.server.fake  # type: ignore[attr-defined]
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = fake.take(RecordedRequest(self.path, headers, {}))
        if reply.status != 200:
            return self._answer(fake, reply, {})
        rows = [
            {"id": name, "object": "model", "created": 1767225600, "owned_by": "fake"} for name in ("m", "n")
        ]
        return self._send(json.dumps({"object": "list", "data": rows}).encode(), reply)

    def handle(self) -> None:
        """Serve a connection until either side closes or resets it."""
        with contextlib.suppress(ConnectionResetError):
            super().handle()

    def _answer(self, fake: FakeOpenAI, reply: ScriptedReply, body: dict[str, Any]) -> None:
        if reply.status != 200:
            message = {
                "error": {"message": f"scripted failure {reply.status}", "type": "scripted", "code": None}
            }
            self._send(json.dumps(message).encode(), reply)
        elif reply.raw is not None:
            self._send(reply.raw, reply)
        elif self.path.endswith("/embeddings"):
            self._send(json.dumps(_embeddings(body, fake.dimensions)).encode(), reply)
        elif body.get("stream"):
            self._stream(_for_request(reply, body), body, fake.closing)
        else:
            reply = _for_request(reply, body)
            self._send(json.dumps(_completion(reply, body, self.usage(reply, body))).encode(), reply)

    def usage(self, reply: ScriptedReply, body: dict[str, Any]) -> dict[str, Any]:
        """Return the reported token usage."""
        prompt, answer = len(json.dumps(body.get("messages", []))) // 4, max(1, len(reply.text) // 4)
        return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}

    def _send(self, payload: bytes, reply: ScriptedReply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if reply.retry_after is not None:
            self.send_header("Retry-After", str(reply.retry_after))
        if reply.location:
            self.send_header("Location", reply.location)
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2] if reply.cut else payload)
        self.close_connection = reply.cut

    def _stream(self, reply: ScriptedReply, body: dict[str, Any], closing: threading.Event) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(_events(reply, body, self.usage(reply, body))):
            closing.wait(reply.pace)
            if not number:
                self.server.fake.begins()  # type: ignore[attr-defined]
            self._chunk(f"data: {event}\n\n".encode())
        if not reply.cut:
            self._chunk(b"")
        self.close_connection = reply.cut

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name the base class gave it)
        """Tests keep their output to themselves."""


def _for_request(reply: ScriptedReply, body: dict[str, Any]) -> ScriptedReply:
    offered = {tool["function"]["name"] for tool in body.get("tools", [])}
    return replace(reply, tool="", text="no tools") if reply.tool and reply.tool not in offered else reply


def _tool_calls(reply: ScriptedReply) -> list[dict[str, Any]]:
    function = {"name": reply.tool, "arguments": json.dumps(reply.arguments)}
    return [{"index": 0, "id": f"call_{reply.tool}", "type": "function", "function": function}]


def _completion(reply: ScriptedReply, body: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if reply.tool else reply.text}
    if reply.tool:
        message["tool_calls"] = _tool_calls(reply)
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if reply.tool else "stop"}
    return _envelope("chat.completion", body) | {"choices": [choice], "usage": usage}


def _envelope(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-fake", "object": kind, "created": 1767225600, "model": body.get("model", "fake")}


def _events(reply: ScriptedReply, body: dict[str, Any], usage: dict[str, Any]) -> Iterator[str]:
    """Yield the server-sent events of a reply, three words each; a broken reply stops early."""
    envelope = _envelope("chat.completion.chunk", body)
    for delta in _deltas(reply):
        yield json.dumps(envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    if reply.cut or reply.ragged:
        return
    reason = "tool_calls" if reply.tool else "stop"
    yield json.dumps(envelope | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    yield json.dumps(envelope | {"choices": [], "usage": usage})
    yield "[DONE]"


def _deltas(reply: ScriptedReply) -> Iterator[dict[str, Any]]:
    if reply.tool:
        yield {"role": "assistant", "content": None, "tool_calls": _tool_calls(reply)}
        return
    pieces = reply.text.split(" ")
    for at in range(0, len(pieces), 3):
        piece = " ".join(pieces[at : at + 3])
        yield {"role": "assistant", "content": piece if at + 3 >= len(pieces) else piece + " "}


def _embeddings(body: dict[str, Any], dimensions: int) -> dict[str, Any]:
    """Return deterministic vectors in reverse order, which the `index` member allows."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    rows = [{"index": at, "embedding": _vector(str(text), dimensions)} for at, text in enumerate(texts)]
    tokens = sum(len(text) // 4 + 1 for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows[::-1], "model": body.get("model"), "usage": usage}


def _vector(text: str, dimensions: int) -> list[float]:
    digest = blake2b(text.encode()).digest()
    return [digest[at % len(digest)] / 255 for at in range(dimensions)]


class FakeJsonServer:
    """Scripted JSON server: a list of status and body per path; other paths return 404.

    with FakeJsonServer({"/v1/messages": [(500, {}), (200, {...})]}) as server: each request consumes the next
    reply of its path; the last one is repeated.
    """

    def __init__(self, answers: dict[str, list[tuple[int, Any]]]) -> None:
        self.answers = answers
        self.requests: list[RecordedRequest] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _JsonHandler)
        self._server.daemon_threads = True
        self._server.fake = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _JsonHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        fake: FakeJsonServer = self.server.fake  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        path = self.path.partition("?")[0]
        fake.requests.append(
            RecordedRequest(path, {name.lower(): value for name, value in self.headers.items()}, body)
        )
        script = fake.answers.get(path, [(404, {})])
        status, answer = script.pop(0) if len(script) > 1 else script[0]
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("Retry-After", "0.01")
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST  # noqa: N815 (the name the base class calls)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name the base class gave it)
        """Tests keep their output to themselves."""
