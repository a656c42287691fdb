"""The head of an HTTP request, and its WSGI environment."""

import sys
from collections.abc import Awaitable, Callable
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from django.conf import settings

Receive = Callable[[], Awaitable[dict[str, Any]]]
# CGI names of headers without the prefix HTTP_.
PLAIN_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class RequestHead:
    """Method, path and headers of a request, from an ASGI scope."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            # WSGI servers cannot distinguish `X_Tenant` from `X-Tenant`, so names with underscores are dropped.
            if "_" not in name:
                separator = "; " if name == "cookie" else ","
                known = self.headers.get(name)
                self.headers[name] = value if known is None else f"{known}{separator}{value}"

    @property
    def size(self) -> int:
        """Size of all headers in bytes."""
        return sum(len(name) + len(value) for name, value in self.scope["headers"])

    @property
    def address(self) -> str:
        """The client's address; empty for a Unix socket."""
        return (self.scope.get("client") or ("",))[0]

    @property
    def length(self) -> int | None:
        """The declared length of the body.

        It is 0 without a body and None if the body is chunked.
        """
        if "transfer-encoding" in self.headers:
            return None
        length = self.headers.get("content-length", "0")
        return int(length) if length.isascii() and length.isdecimal() and len(length) < 19 else sys.maxsize

    @property
    def session(self) -> str:
        """The session cookie; empty if there is none."""
        try:
            found = SimpleCookie(self.headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME)
        except CookieError:
            return ""
        return found.value if found else ""

    @property
    def client(self) -> str:
        """A key for limits per client: its unverified credential, else its address."""
        secret = self.headers.get("authorization") or self.headers.get("x-api-key") or self.session
        return sha256(secret.encode()).hexdigest() if secret else self.address


def build_environ(head: RequestHead, body: IO[bytes], length: int, file_wrapper: Callable[..., Any]) -> Any:
    """Return the WSGI environment of a request whose body is complete (PEP 3333)."""
    scope = head.scope
    server = scope.get("server") or ("localhost", None)
    environ = {
        "REQUEST_METHOD": head.method,
        "SCRIPT_NAME": "",
        # The server's decoded path has lost bytes that are not UTF-8.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1] or ""),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": head.address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": file_wrapper,
    }
    for name, value in head.headers.items():
        environ[PLAIN_NAMES.get(name) or f"HTTP_{name.upper().replace('-', '_')}"] = value
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if length or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(length)
    return environ
