"""Keys: key-encryption keys outside the database wrap one data key per tenant and version inside it.

AES-256-GCM throughout, with random nonces of 96 bits (NIST SP 800-38D: at most 2**32 messages a key).
A sealed value is `01 | data-key version, uint16 | nonce, 12 bytes | ciphertext and tag`.
"""

import base64
import binascii
import os
import re
import secrets
import struct
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction

FORMAT = 1
HEADER = struct.Struct(">BH")
NONCE_BYTES = 12
TAG_BYTES = 16
KEY_BYTES = 32
KEK_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
CACHED_KEYS = 1024


class KeyringError(RuntimeError):
    """A key that is missing or unreadable. Names ids, never key material."""


class DecryptionError(RuntimeError):
    """A sealed value that was changed, or was made for another place."""


def seal_with(key: bytes, version: int, context: str, plaintext: bytes) -> bytes:
    """The envelope of `plaintext`, bound to `context`."""
    header = HEADER.pack(FORMAT, version)
    nonce = os.urandom(NONCE_BYTES)
    return (
        header
        + nonce
        + AESGCM(key).encrypt(nonce, plaintext, header + context.encode())
    )


def sealed_version(sealed: bytes) -> int:
    """The version of the data key that `sealed` was made with.

    Raises:
        DecryptionError: when it is no envelope.
    """
    if len(sealed) < HEADER.size + NONCE_BYTES + TAG_BYTES:
        raise DecryptionError("the stored value is not an envelope")
    form, version = HEADER.unpack_from(sealed)
    if form != FORMAT:
        raise DecryptionError(f"the stored value has the unknown format {form}")
    return int(version)


def open_with(key: bytes, context: str, sealed: bytes) -> bytes:
    """The plaintext of `sealed`.

    Raises:
        DecryptionError: when it was changed, or sealed with another key or for another context.
    """
    sealed_version(sealed)
    header, rest = sealed[: HEADER.size], sealed[HEADER.size :]
    try:
        return AESGCM(key).decrypt(
            rest[:NONCE_BYTES], rest[NONCE_BYTES:], header + context.encode()
        )
    except InvalidTag:
        raise DecryptionError(
            f"the value stored at {context} does not belong there or was changed"
        ) from None
