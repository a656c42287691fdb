"""The header `Retry-After` (RFC 9110, section 10.2.3)."""

import time
from email.utils import parsedate_to_datetime


def parse_retry_after(value: str) -> float | None:
    """Return the seconds that a number or a date asks to wait, or None if it is absent or invalid."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    # Rejects NaN.
    return max(seconds, 0.0) if seconds == seconds else None
