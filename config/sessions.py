"""Database sessions stored under a digest of the cookie's key.

A stored key therefore opens no session.
"""

import hashlib
from typing import Any, NoReturn

from django.contrib.sessions.backends import db

# Django's asynchronous methods would store and find plain keys.
SYNCHRONOUS = "Sessions are synchronous."


def hash_session_key(session_key: str) -> str:
    """Return the stored form of a key: 160 bits of SHA-256."""
    # Keys are random, so no salt is needed.
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


class SessionStore(db.SessionStore):
    """Django's database sessions with hashed keys. Asynchronous access is not supported."""

    def exists(self, session_key: str) -> bool:
        return bool(super().exists(hash_session_key(session_key)))

    def create_model_instance(self, data: Any) -> Any:
        session = super().create_model_instance(data)
        session.session_key = hash_session_key(session.session_key)
        return session

    def delete(self, session_key: str | None = None) -> None:
        if session_key := session_key or self.session_key:
            super().delete(hash_session_key(session_key))

    def _get_session_from_db(self) -> Any:
        """Return the row of the session, or None and forget the key."""
        key = self.session_key
        self._session_key = hash_session_key(key)
        try:
            found = super()._get_session_from_db()
        finally:
            self._session_key = key
        if found is None:
            self._session_key = None
        return found

    async def _aget_session_from_db(self) -> NoReturn:
        raise NotImplementedError(SYNCHRONOUS)

    async def aexists(self, session_key: str) -> NoReturn:
        raise NotImplementedError(SYNCHRONOUS)

    async def acreate_model_instance(self, data: Any) -> NoReturn:
        raise NotImplementedError(SYNCHRONOUS)

    async def adelete(self, session_key: str | None = None) -> NoReturn:
        raise NotImplementedError(SYNCHRONOUS)
