"""Reference MCP server for tests with tools, a resource and a prompt.

`python reference_server.py` uses standard input and output, `… http PORT` streamable HTTP on loopback.
"""

import json
import os
import sys
import time
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("reference", version="1.2.3")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def report_config() -> str:
    """Return the server's configuration, environment and user ID."""
    config = json.loads(os.environ.get("MCP_CONFIG", "{}"))
    return json.dumps({"config": config, "env": sorted(os.environ), "uid": os.getuid()})


@server.tool()
def read(path: str) -> str:
    """Read a file."""
    return Path(path).read_text()


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("the disk is full")


@server.tool()
def report_key(context: Context) -> str:
    """Return the idempotency key of the call."""
    return str((context.request_context.meta or {}).get("conclave/idempotency-key"))


@server.tool()
def wait(seconds: float) -> str:
    """Wait for some seconds."""
    time.sleep(seconds)
    return "waited"


@server.tool()
def shout(length: int) -> str:
    """Return a long text."""
    return "x" * length


@server.tool()
def leave() -> str:
    """Exit immediately."""
    os._exit(1)


@server.resource("notes://today")
def today() -> str:
    """Return today's event."""
    return "High water at noon."


@server.prompt()
def greet(name: str) -> str:
    """Greet a person."""
    return f"Greet {name}."


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
