"""Checks and changes of passwords by functions of the database, whose roles cannot read hashes.

The application computes the hash of the given password with the parameters and salt of the stored one. The database
compares both. Each statement runs in a scope that is proved for one user and for passwords only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import argon2
from django.contrib.auth import hashers
from django.db import connection, transaction

from config.db.session import Scope, apply_scope, request_info

ACTOR = "system:password"


@contextmanager
def password_scope(user_id: UUID) -> Iterator[Any]:
    """Open a cursor for one function call about the password of a user."""
    scope = Scope(user_id=user_id, actor=ACTOR, request=request_info.get())
    # The server binds the parameters, so that no hash appears in pg_stat_activity or in logs of statements.
    with transaction.atomic(), apply_scope(scope), connection.prepared_cursor() as cursor:  # type: ignore[attr-defined]
        yield cursor


def check_password(user_id: UUID, raw_password: str | None) -> bool:
    """Return whether the password is right, and store a new hash if the stored one is outdated.

    Call it outside any scope.

    Args:
        user_id: ID of the user.
        raw_password: The password to check.
    """
    with password_scope(user_id) as cursor:
        cursor.execute("SELECT conclave_password_parameters()")
        parameters = cursor.fetchone()[0]
    try:
        if raw_password is None or parameters is None:
            raise ValueError("there is nothing to compare")
        encoded = encode_password(raw_password, parameters)
    except ValueError:
        # As much work as for a stored hash, so that the time does not reveal whether there is one.
        hashers.make_password(raw_password or "")
        return False
    with password_scope(user_id) as cursor:
        cursor.execute("SELECT conclave_password_matches(%s)", [encoded])
        matches = bool(cursor.fetchone()[0])
    if matches and _is_outdated(encoded):
        _replace_hash(user_id, encoded, hashers.make_password(raw_password))
    return matches


def store_hash(user_id: UUID, encoded: str, changed_at: datetime | None) -> None:
    """Set the hash of a user's password, and the time of the change. Call it outside any scope."""
    with password_scope(user_id) as cursor:
        cursor.execute("SELECT conclave_set_password(%s, %s)", [encoded, changed_at])


def _replace_hash(user_id: UUID, encoded: str, new: str) -> None:
    """Replace the hash of the same password, unless it was changed in the meantime."""
    with password_scope(user_id) as cursor:
        cursor.execute("SELECT conclave_replace_hash(%s, %s)", [encoded, new])


def encode_password(raw_password: str, parameters: str) -> str:
    """Return the hash of a password with the algorithm, parameters and salt of another hash.

    Args:
        raw_password: The password.
        parameters: A hash whose digest may be replaced by as many other letters.

    Raises:
        ValueError: No hasher in `PASSWORD_HASHERS` has the algorithm.
    """
    hasher: Any = hashers.identify_hasher(parameters)
    if isinstance(hasher, hashers.BCryptSHA256PasswordHasher):
        return str(hasher.encode(raw_password, parameters.split("$", 1)[1].encode()))
    decoded = hasher.decode(parameters)
    if not isinstance(hasher, hashers.Argon2PasswordHasher):
        return str(hasher.encode(raw_password, decoded["salt"]))
    # Django's hasher would use its own parameters, and imported salts are bytes.
    used = decoded["params"]
    encoded = argon2.low_level.hash_secret(
        raw_password.encode(),
        decoded["salt"].encode("latin1"),
        time_cost=used.time_cost,
        memory_cost=used.memory_cost,
        parallelism=used.parallelism,
        hash_len=used.hash_len,
        type=used.type,
        version=used.version,
    )
    return hasher.algorithm + encoded.decode("ascii")


def _is_outdated(encoded: str) -> bool:
    hasher, preferred = hashers.identify_hasher(encoded), hashers.get_hasher()
    return hasher.algorithm != preferred.algorithm or preferred.must_update(encoded)
