"""ASGI entry point of the web server; `config.wsgi` remains for other servers."""

import os

from config.wsgi import application as wsgi_application

# Requests that run at a time. They share one interpreter, so more of them only delay each other.
THREADS = 8


def build_application():
    """Return the ASGI application around Django's WSGI handler."""
    from config.serving.application import Application

    return Application(wsgi_application, threads=int(os.environ.get("WEB_THREADS") or THREADS))


application = build_application()
