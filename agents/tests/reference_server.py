"""A server of the Model Context Protocol for tests, by the protocol's own library: tools, a resource, a prompt.

`python reference_server.py` speaks by standard input and output, `… http PORT` by streamable HTTP on loopback.
"""

import json
import os
import sys
import time
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("reference", version="1.2.3")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def told() -> str:
    """What the server was configured with, and who it is."""
    config = json.loads(os.environ.get("MCP_CONFIG", "{}"))
    return json.dumps({"config": config, "env": sorted(os.environ), "uid": os.getuid()})


@server.tool()
def read(path: str) -> str:
    """Read a file of the machine."""
    return Path(path).read_text()


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("the disk is full")


@server.tool()
def wait(seconds: float) -> str:
    """Take long."""
    time.sleep(seconds)
    return "waited"


@server.tool()
def shout(length: int) -> str:
    """Answer with much text."""
    return "x" * length


@server.tool()
def leave() -> str:
    """End at once."""
    os._exit(1)


@server.resource("notes://today")
def today() -> str:
    """What is on today."""
    return "High water at noon."


@server.prompt()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Greet {name}."


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
