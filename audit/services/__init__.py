"""What the rest of the system calls to write to the audit log, seal it and verify it."""

from .events import record_event
from .security import record_security_event

__all__ = ["record_event", "record_security_event"]
