"""Generation, format check and hashing of API keys.

A key is `cvk_live_` (a platform API key: `cvk_platform_`), 32 random bytes as 43 base62 digits, and the CRC-32 of
both as 6 base62 digits. The checksum rejects typing errors and guesses before any query; it is not a secret.
"""

import hmac
import secrets
import string
import zlib
from dataclasses import dataclass, field

from django.conf import settings

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_PREFIX = "cvk_live_"
PLATFORM_PREFIX = "cvk_platform_"
RANDOM_BYTES = 32
# ceil(256 / log2(62)) and ceil(32 / log2(62))
BODY_DIGITS = 43
CHECK_DIGITS = 6
LENGTH = len(KEY_PREFIX) + BODY_DIGITS + CHECK_DIGITS
# Digits of the body that the stored prefix shows.
SHOWN_DIGITS = 6


@dataclass(frozen=True, slots=True)
class GeneratedKey:
    """A new key: the secret, shown once, and the stored prefix and digest."""

    secret: str = field(repr=False)
    prefix: str
    digest: bytes = field(repr=False)


def _base62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), CHECK_DIGITS)


def generate_key(prefix: str = KEY_PREFIX) -> GeneratedKey:
    """Generate a random key."""
    body = prefix + _base62(int.from_bytes(secrets.token_bytes(RANDOM_BYTES), "big"), BODY_DIGITS)
    secret = body + _checksum(body)
    return GeneratedKey(secret, secret[: len(prefix) + SHOWN_DIGITS], digest(secret))


def is_well_formed(text: str, prefix: str = KEY_PREFIX) -> bool:
    """Return whether `text` has the prefix, length, alphabet and checksum of a key."""
    length = len(prefix) + BODY_DIGITS + CHECK_DIGITS
    if len(text) != length or not text.startswith(prefix) or not text.isascii():
        return False
    body, check = text[:-CHECK_DIGITS], text[-CHECK_DIGITS:]
    return all(digit in ALPHABET for digit in body[len(prefix) :]) and hmac.compare_digest(
        _checksum(body), check
    )


def digest(secret: str) -> bytes:
    """Return the HMAC-SHA256 of the key with `API_KEY_PEPPER` (32 bytes)."""
    return hmac.digest(settings.API_KEY_PEPPER, secret.encode(), "sha256")
