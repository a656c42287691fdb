"""Web server: an ASGI application around Django's WSGI handler."""
