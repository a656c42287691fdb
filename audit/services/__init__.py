"""Functions that write, seal and verify the audit log."""

from .events import record_event
from .security import record_security_event

__all__ = ["record_event", "record_security_event"]
