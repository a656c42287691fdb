"""Contexts of steps and a scripted HTTP server, for the tests of bodies."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from config.db.ids import uuid7
from workflows.runtime.step_bodies import StepCancelledError, StepContext


def build_context(member, kind, config, **fields):
    """Return the context of an attempt of a run that the member started."""
    execution_id = fields.pop("execution_id", None) or uuid7()
    return StepContext(
        **{
            "tenant_id": member.tenant_id,
            "execution_id": execution_id,
            "step_execution_id": uuid7(),
            "step_id": "post",
            "kind": kind,
            "item": -1,
            "attempt": 1,
            "user_id": member.user_id,
            "engagement_id": None,
            "idempotency_key": f"{execution_id}:post:-1:0",
            "config": config,
            "check_cancelled": lambda: None,
            **fields,
        }
    )


def cancel_after(calls):
    """Return a check that raises after a number of calls."""
    left = [calls]

    def check():
        left[0] -= 1
        if left[0] < 0:
            raise StepCancelledError

    return check


@dataclass
class ServedReply:
    """A scripted reply."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0


@dataclass
class ServedRequest:
    """A received request; header names are lower case."""

    method: str
    path: str
    headers: dict
    body: bytes


class ScriptedService:
    """Context manager of an HTTP server on 127.0.0.1; the last reply is repeated."""

    def __init__(self, *script):
        self.script = list(script) or [ServedReply()]
        self.requests = []
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self._server.service = self
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        service = self.server.service
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        service.requests.append(ServedRequest(self.command, self.path, headers, body))
        reply = service.script.pop(0) if len(service.script) > 1 else service.script[0]
        service.closing.wait(reply.delay)
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 (the names that the base class calls)

    def log_message(self, *args):
        pass
