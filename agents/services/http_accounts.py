"""Accounts at HTTP services: their address, and the headers that authenticate requests."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from agents.choices import HTTP_SERVICE
from agents.models import Integration

# Members of the stored credentials.
API_KEY, HEADERS, USERNAME, PASSWORD = "api_key", "headers", "username", "password"


def find_http_account(name: str) -> Integration | None:
    """Return the scope's account at an HTTP service with this name, or None."""
    return Integration.objects.filter(platform=HTTP_SERVICE, name=name).first()


def build_credential_headers(credentials: Any) -> dict[str, str]:
    """Return the headers for stored credentials.

    Args:
        credentials: `{"api_key": …}` for a bearer token, `{"username": …, "password": …}` for basic authentication,
            or `{"headers": {…}}`.
    """
    stored = credentials if isinstance(credentials, Mapping) else {}
    named = stored.get(HEADERS)
    headers = {str(name): str(value) for name, value in named.items()} if isinstance(named, Mapping) else {}
    if stored.get(API_KEY):
        headers["Authorization"] = f"Bearer {stored[API_KEY]}"
    elif stored.get(USERNAME):
        pair = f"{stored[USERNAME]}:{stored.get(PASSWORD, '')}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return headers
