"""HTTP over plain sockets, for requests that clients never complete or send in one piece."""

import http.client
import socket
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"


class RawConnection:
    """A connection to a web server on this machine."""

    def __init__(self, port: int, *, seconds: float = 20) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, *lines: str, body: bytes = b"") -> Self:
        """Send a request line and headers, with the header Host, and the beginning of a body."""
        head = "\r\n".join([lines[0], f"Host: {HOST}", *lines[1:], "", ""])
        self.socket.sendall(head.encode("latin-1") + body)
        return self

    def read_response(self, method: str = "GET") -> http.client.HTTPResponse:
        """Read the next response; its body is read with `read`."""
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        return response


def open_unfinished_bodies(port: int, count: int, *lines: str) -> list[RawConnection]:
    """Open connections that each declare a body of 1000 bytes and send one byte."""
    found = [RawConnection(port) for _ in range(count)]
    for each in found:
        each.send(*lines, "Content-Length: 1000", body=b"{")
    return found
