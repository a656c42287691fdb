"""Web server: an ASGI application that collects requests and runs Django's WSGI handler in threads."""
