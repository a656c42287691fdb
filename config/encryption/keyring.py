"""Envelope encryption: key-encryption keys (KEKs) wrap one data key per tenant and version.

KEKs are kept outside the database and wrapped data keys in it.

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

from config.db.session import NO_SCOPE, OPERATOR, current_scope
from config.encryption.files import write_once

FORMAT = 1
HEADER = struct.Struct(">BH")
NONCE_BYTES = 12
TAG_BYTES = 16
KEY_BYTES = 32
KEK_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
CACHED_KEYS = 1024
# States of a data key; `tenants.choices.KeyStatus`, which this layer may not import.
CURRENT = "current"
DECRYPT_ONLY = "decrypt_only"


class KeyringError(RuntimeError):
    """A key is missing or unreadable. Messages contain ids, never key material."""


class DecryptionError(RuntimeError):
    """A sealed value was modified or sealed for another context."""


def seal_with(key: bytes, version: int, context: str, plaintext: bytes) -> bytes:
    """Encrypt `plaintext` and return its envelope, bound to `context`."""
    header = HEADER.pack(FORMAT, version)
    nonce = os.urandom(NONCE_BYTES)
    return header + nonce + AESGCM(key).encrypt(nonce, plaintext, header + context.encode())


def sealed_version(sealed: bytes) -> int:
    """Return the version of the data key that `sealed` was encrypted with.

    Raises:
        DecryptionError: `sealed` is not an envelope.
    """
    if len(sealed) < HEADER.size + NONCE_BYTES + TAG_BYTES:
        raise DecryptionError("the stored value is not an envelope")
    form, version = HEADER.unpack_from(sealed)
    if form != FORMAT:
        raise DecryptionError(f"the stored value has the unknown format {form}")
    return int(version)


def open_with(key: bytes, context: str, sealed: bytes) -> bytes:
    """Decrypt `sealed` and return the plaintext.

    Raises:
        DecryptionError: it was modified, or sealed with another key or for another context.
    """
    sealed_version(sealed)
    header, rest = sealed[: HEADER.size], sealed[HEADER.size :]
    try:
        return AESGCM(key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], header + context.encode())
    except InvalidTag:
        raise DecryptionError(f"the value stored at {context} does not belong there or was changed") from None


def keks() -> dict[str, bytes]:
    """Return the key-encryption keys by id. The first is current, the others only unwrap.

    They come from `CONCLAVE_KEKS`, else from `KEK_FILE`, which is created with one key if it does not exist.

    Raises:
        KeyringError: there is no key, or one is malformed.
    """
    text = settings.CONCLAVE_KEKS
    if not text:
        if not settings.KEK_FILE:
            raise KeyringError("no key-encryption key: set CONCLAVE_KEKS")
        text = _read_kek_file(Path(settings.KEK_FILE))
    parsed: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in re.split(r"[,\n]", text))):
        kek_id, colon, encoded = entry.partition(":")
        if not colon or not KEK_ID.match(kek_id) or kek_id in parsed:
            raise KeyringError(f"key-encryption key number {len(parsed) + 1} has no valid and unique id")
        parsed[kek_id] = _decode_kek(kek_id, encoded)
    if not parsed:
        raise KeyringError("no key-encryption key: the list is empty")
    return parsed


def _decode_kek(kek_id: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KeyringError(f"key-encryption key {kek_id} is not base64") from None
    if len(key) != KEY_BYTES:
        raise KeyringError(f"key-encryption key {kek_id} has {len(key)} bytes instead of {KEY_BYTES}")
    return key


def _read_kek_file(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_once(path, new_kek() + "\n")
    if path.stat().st_mode & 0o077:
        raise KeyringError(f"{path} can be read by others: chmod 600 it")
    return path.read_text()


def new_kek() -> str:
    """Generate an entry for `CONCLAVE_KEKS`: `id:base64`."""
    return f"k{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def _wrap_context(tenant_id: UUID | None, version: int, kek_id: str) -> bytes:
    return f"dek|{tenant_id or 'platform'}|{version}|{kek_id}".encode()


def wrap(key: bytes, tenant_id: UUID | None, version: int) -> tuple[str, bytes]:
    """Wrap `key` with the current KEK and return the KEK's id and the nonce with ciphertext."""
    kek_id, kek = next(iter(keks().items()))
    nonce = os.urandom(NONCE_BYTES)
    return kek_id, nonce + AESGCM(kek).encrypt(nonce, key, _wrap_context(tenant_id, version, kek_id))


def unwrap(wrapped: bytes, tenant_id: UUID | None, version: int, kek_id: str) -> bytes:
    """Unwrap a data key.

    Raises:
        KeyringError: the KEK is missing, or `wrapped` belongs to another tenant or version.
    """
    kek = keks().get(kek_id)
    if kek is None:
        raise KeyringError(f"key-encryption key {kek_id} is missing from CONCLAVE_KEKS")
    context = _wrap_context(tenant_id, version, kek_id)
    try:
        return AESGCM(kek).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        owner = tenant_id or "the platform"
        raise KeyringError(f"data key v{version} of {owner} does not unwrap with {kek_id}") from None


CacheSlot = tuple[str, UUID | None, int]
_lock = threading.Lock()
_cache: OrderedDict[CacheSlot, tuple[bytes, bytes]] = OrderedDict()
# Wrapped keys whose row can still be rolled back. They are used but not cached.
_uncommitted: OrderedDict[bytes, None] = OrderedDict()


def clear_cache() -> None:
    """Clear the cache of data keys, for tests and after a database was restored."""
    with _lock:
        _cache.clear()


def _cache_slot(tenant_id: UUID | None, version: int, using: str) -> CacheSlot:
    return str(connections[using].settings_dict["NAME"]), tenant_id, version


def _key_rows(tenant_id: UUID | None, using: str) -> Any:
    model: Any = apps.get_model("tenants", "TenantKey")
    return model._base_manager.using(using).filter(tenant_id=tenant_id)


def _unwrap_row(row: Any, using: str) -> bytes:
    slot, wrapped = _cache_slot(row.tenant_id, row.version, using), bytes(row.wrapped)
    with _lock:
        cached = _cache.get(slot)
    if cached and cached[0] == wrapped:
        return cached[1]
    key = unwrap(wrapped, row.tenant_id, row.version, row.kek_id)
    with _lock:
        if wrapped not in _uncommitted:
            _cache[slot] = (wrapped, key)
            while len(_cache) > CACHED_KEYS:
                _cache.popitem(last=False)
    return key


def _get_cached_key(slot: CacheSlot) -> bytes | None:
    with _lock:
        if slot not in _cache:
            return None
        _cache.move_to_end(slot)
        return _cache[slot][1]


def _mark_committed(wrapped: bytes) -> None:
    with _lock:
        _uncommitted.pop(wrapped, None)


def _create_key(tenant_id: UUID | None, version: int, using: str) -> None:
    """Insert a data key of `version` unless another transaction has inserted it."""
    kek_id, wrapped = wrap(secrets.token_bytes(KEY_BYTES), tenant_id, version)
    with _lock:
        # A cached key of this version belongs to a row that no longer exists.
        _cache.pop(_cache_slot(tenant_id, version, using), None)
        _uncommitted[wrapped] = None
        while len(_uncommitted) > CACHED_KEYS:
            _uncommitted.popitem(last=False)
    rows = _key_rows(tenant_id, using)
    row = rows.model(tenant_id=tenant_id, version=version, kek_id=kek_id, wrapped=wrapped)
    rows.bulk_create([row], ignore_conflicts=True)
    transaction.on_commit(lambda: _mark_committed(wrapped), using=using)


def _latest_key(tenant_id: UUID | None, using: str) -> Any:
    return _key_rows(tenant_id, using).order_by("-version").first()


def get_data_key(
    tenant_id: UUID | None, version: int | None = None, using: str = DEFAULT_DB_ALIAS
) -> tuple[int, bytes]:
    """Return the version and data key of a tenant (None: the platform), by default the current one.

    The first key is created on first use. Reads and writes `TenantKey` in the caller's scope and transaction.

    Raises:
        KeyringError: the KEK is missing, or the current scope belongs to another tenant.
        DecryptionError: the version does not exist.
    """
    _check_reach(tenant_id)
    if version is not None:
        return version, _get_cached_key(_cache_slot(tenant_id, version, using)) or _load_key(
            tenant_id, version, using
        )
    row = _latest_key(tenant_id, using)
    if row is None:
        _create_key(tenant_id, 1, using)
        row = _latest_key(tenant_id, using)
    if row is None or row.status != CURRENT:
        raise KeyringError(f"{tenant_id or 'the platform'} has no current data key in this scope")
    return row.version, _unwrap_row(row, using)


def _check_reach(tenant_id: UUID | None) -> None:
    # Same rule as the policies, which do not apply to cached keys.
    scope = current_scope()
    if scope is not None and scope.role == OPERATOR:
        return
    if str(tenant_id or "") != (scope or NO_SCOPE).binding[1]:
        raise KeyringError(f"the data key of {tenant_id or 'the platform'} is out of reach in this scope")


def _load_key(tenant_id: UUID | None, version: int, using: str) -> bytes:
    row = _key_rows(tenant_id, using).filter(version=version).first()
    if row is None:
        raise DecryptionError(f"{tenant_id or 'the platform'} has no data key v{version} in this scope")
    return _unwrap_row(row, using)


def create_key_version(tenant_id: UUID | None, using: str = DEFAULT_DB_ALIAS) -> int:
    """Create a new current data key and make older versions decrypt-only. Requires the platform scope."""
    latest = _latest_key(tenant_id, using)
    version = latest.version + 1 if latest else 1
    _create_key(tenant_id, version, using)
    _key_rows(tenant_id, using).filter(version__lt=version).update(status=DECRYPT_ONLY)
    return version


def rewrap(row: Any) -> None:
    """Rewrap the data key in `row` with the current KEK. Requires the platform scope."""
    key = unwrap(bytes(row.wrapped), row.tenant_id, row.version, row.kek_id)
    row.kek_id, row.wrapped = wrap(key, row.tenant_id, row.version)
    row.save(update_fields=["kek_id", "wrapped", "updated_at"])


def seal(tenant_id: UUID | None, context: str, plaintext: bytes, using: str = DEFAULT_DB_ALIAS) -> bytes:
    """Encrypt `plaintext` with the tenant's current data key and return the envelope."""
    version, key = get_data_key(tenant_id, using=using)
    return seal_with(key, version, context, plaintext)


def open_sealed(tenant_id: UUID | None, context: str, sealed: bytes, using: str = DEFAULT_DB_ALIAS) -> bytes:
    """Decrypt an envelope created by `seal`.

    Raises:
        DecryptionError: it was modified or sealed for another context.
        KeyringError: the KEK is missing.
    """
    _, key = get_data_key(tenant_id, sealed_version(sealed), using)
    return open_with(key, context, sealed)
