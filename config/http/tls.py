"""TLS context of the HTTP clients, cached because loading certificates dominates a request's time."""

import ssl
from functools import cache


@cache
def ssl_context(*, trust_env: bool) -> ssl.SSLContext:
    """Return httpx2's default TLS context; `trust_env` honours SSL_CERT_FILE and SSL_CERT_DIR."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=trust_env)
