"""Proofs of scopes: MACs over the role and settings of a transaction.

Row-level security policies trust `app.*` settings only with a proof (`config.db.scope_functions`). This module makes
proofs and stores their keys in the database. The first of `settings.SCOPE_KEYS` signs; the database accepts all of
them, so that keys can be replaced without downtime.

A proof is the key's id (8 hexadecimal digits), the time at which it expires (10 digits, Unix time) and HMAC-SHA256 of
both and the values (64 hexadecimal digits). It contains no random or connection-specific part: all transactions of a
scope may use the same proof, and a connection pooler does not matter.
"""

import hashlib
import hmac
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# PostgreSQL compares the expiry with the start of the transaction: longer transactions keep their scope.
LIFETIME_SECONDS = 300
MIN_KEY_LENGTH = 32
BLOCK_SIZE = 64

INSTALL_SQL = """
INSERT INTO conclave_scope_key (id, inner_block, outer_block) VALUES (%s, %s, %s)
ON CONFLICT (id) DO UPDATE SET inner_block = excluded.inner_block, outer_block = excluded.outer_block"""


def prove_scope(values: Sequence[str], seconds: int = LIFETIME_SECONDS) -> str:
    """Return a proof of the values, in the order of `SESSION_SQL`.

    Raises:
        ValueError: A value other than the last one contains a line feed, which separates them.
    """
    if "\n" in "".join(values[:-1]):
        raise ValueError("a value of a scope contains a line feed")
    key = signing_key()
    head = f"{_key_id(key)}{int(time.time()) + seconds:010d}"
    message = "\n".join((head, *values)).encode()
    return head + hmac.digest(key, message, "sha256").hex()


def signing_key() -> bytes:
    """Return the key that signs.

    Raises:
        ImproperlyConfigured: The setting is empty, or a key is too short.
    """
    return _parse_keys(settings.SCOPE_KEYS)[0]


def accepted_keys() -> list[str]:
    """Return the ids of all keys of this process, the signing one first."""
    return [_key_id(key) for key in _parse_keys(settings.SCOPE_KEYS)]


@lru_cache(maxsize=4)
def _parse_keys(text: str) -> list[bytes]:
    keys = [part.strip().encode() for part in text.split(",") if part.strip()]
    if not keys or any(len(key) < MIN_KEY_LENGTH for key in keys):
        raise ImproperlyConfigured(
            f"CONCLAVE_SCOPE_KEYS must contain keys of at least {MIN_KEY_LENGTH} characters, separated by commas"
        )
    return keys


@lru_cache(maxsize=8)
def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"conclave scope key" + key).hexdigest()[:8]


def hmac_blocks(key: bytes) -> tuple[bytes, bytes]:
    """Return the inner and outer padded key of HMAC-SHA256 (RFC 2104)."""
    padded = (hashlib.sha256(key).digest() if len(key) > BLOCK_SIZE else key).ljust(BLOCK_SIZE, b"\0")
    return bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)


def install_keys(cursor: Any) -> None:
    """Replace the keys in the database by those of this process.

    Requires the schema owner and a transaction.
    """
    keys = _parse_keys(settings.SCOPE_KEYS)
    cursor.execute("SET LOCAL ROLE conclave_scope")
    cursor.execute("DELETE FROM conclave_scope_key WHERE id <> ALL (%s)", [accepted_keys()])
    for key in keys:
        cursor.execute(INSTALL_SQL, [_key_id(key), *hmac_blocks(key)])
    cursor.execute("SET LOCAL ROLE NONE")
