"""A loopback web server for tests of fetching."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class PageHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.cookies.append(self.headers["Cookie"])
        status, headers, body = self.server.pages.get(self.path, self.server.other)
        self.send_response(status)
        for name, value in ({"Content-Type": "text/plain"} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Log nothing."""


@contextmanager
def serve_pages(pages=None, other=(404, {}, b"")):
    """Yield a server on 127.0.0.1.

    `pages` holds status, headers and body by path, `other` those of all other paths; `asked` records the paths.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), PageHandler) as server:
        server.daemon_threads = True
        server.pages, server.other, server.asked, server.cookies = pages or {}, other, [], []
        server.port = server.server_address[1]
        server.url = f"http://127.0.0.1:{server.port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()
