"""UUIDv7 identifiers (RFC 9562), for use where the id must be known before the insert."""

import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

from django.db.models import Func, UUIDField

_lock = threading.Lock()
_last = 0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UUIDv7(Func):
    """The server's `uuidv7()`, for `db_default`."""

    function = "uuidv7"
    template = "%(function)s()"
    output_field = UUIDField()


def _assemble(milliseconds: int, rand_a: int, rand_b: int) -> uuid.UUID:
    return uuid.UUID(int=(milliseconds << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b)


def uuid7(moment: datetime | None = None) -> uuid.UUID:
    """Return a UUIDv7 for now, increasing within the process, or for an aware `moment`."""
    rand_b = int.from_bytes(os.urandom(8), "big") >> 2
    if moment is not None:
        rand_a = int.from_bytes(os.urandom(2), "big") >> 4
        return _assemble((moment - EPOCH) // timedelta(milliseconds=1), rand_a, rand_b)
    global _last
    with _lock:
        # RFC 9562, method 3: the twelve bits after the milliseconds hold the sub-millisecond fraction.
        _last = max(time.time_ns() * 4096 // 1_000_000, _last + 1)
        ticks = _last
    return _assemble(ticks >> 12, ticks & 0xFFF, rand_b)


def uuid7_floor(moment: datetime) -> uuid.UUID:
    """Return the smallest UUIDv7 of `moment`, a bound for partitions and time ranges."""
    return _assemble((moment - EPOCH) // timedelta(milliseconds=1), 0, 0)


def uuid7_time(identifier: uuid.UUID) -> datetime:
    """Return the time in `identifier`, to the millisecond.

    Raises:
        ValueError: `identifier` is not a UUIDv7, or its time is after the year 9999.
    """
    if identifier.version != 7:
        raise ValueError(f"{identifier} is not a UUIDv7")
    try:
        return EPOCH + timedelta(milliseconds=identifier.int >> 80)
    except OverflowError:
        raise ValueError(f"The time of {identifier} is outside the supported range") from None
