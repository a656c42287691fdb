"""The certificates that clients trust, read once: reading them takes longer than the rest of a request."""

import ssl
from functools import cache


@cache
def trusted(*, trust_env: bool) -> ssl.SSLContext:
    """httpx2's own settings for `verify=True`; `trust_env` heeds SSL_CERT_FILE and SSL_CERT_DIR."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=trust_env)
