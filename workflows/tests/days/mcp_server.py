"""MCP servers over HTTP in a thread of this process, by default the reference server of the agents' tests."""

import threading
from contextlib import contextmanager

import uvicorn

from agents.tests import reference_server
from knowledge.tests.waiting import wait_until


@contextmanager
def run_mcp_server(server=reference_server.server):
    """Run a server on a free port of 127.0.0.1 and return its URL."""
    options = {"host": "127.0.0.1", "port": 0, "log_level": "error"}
    web = uvicorn.Server(uvicorn.Config(server.streamable_http_app(), **options))
    thread = threading.Thread(target=web.run, daemon=True)
    thread.start()
    wait_until(lambda: web.started)
    try:
        port = web.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        web.should_exit = True
        thread.join(10)
