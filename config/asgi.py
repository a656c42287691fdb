"""ASGI entry point of the web server; `config.wsgi` remains for other servers."""

import os

from config.wsgi import application as wsgi_application


def build_application():
    """Return the ASGI application around Django's WSGI handler."""
    from config.serving.application import Application

    return Application(wsgi_application, threads=int(os.environ.get("WEB_THREADS") or 16))


application = build_application()
