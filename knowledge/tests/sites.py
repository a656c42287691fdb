"""A loopback website with entity tags, whose log shows which bodies were sent."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class SiteHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One packet for each response: the delayed acknowledgement of a second one costs 40 ms.
    wbufsize = 64 * 1024

    def do_GET(self):
        found = self.server.pages.get(self.path, (404, {}, b""))
        status, headers, body = found if isinstance(found, tuple) else (200, {}, found)
        headers = {"Content-Type": "text/html; charset=utf-8"} | headers
        if status == 200 and self.server.has_etags:
            headers |= {"ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"'}
            if self.headers["If-None-Match"] == headers["ETag"]:
                status, body = 304, b""
        self.server.log.append((self.path, status))
        self.server.authorizations.append(self.headers["Authorization"])
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Log nothing."""


@contextmanager
def serve_site(pages=None, *, has_etags=True):
    """Yield a server on 127.0.0.1.

    `pages` holds bodies, or status, headers and body, by path; `log` records paths and sent statuses.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), SiteHandler) as server:
        server.daemon_threads = True
        server.pages, server.log, server.has_etags = pages or {}, [], has_etags
        server.authorizations = []
        server.port = server.server_address[1]
        server.url = f"http://127.0.0.1:{server.port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def build_page(title, *links, text=""):
    """Return the HTML of a page with links."""
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)
    return f"<html><head><title>{title}</title></head><body><p>{title} {text}</p>{anchors}</body></html>".encode()
