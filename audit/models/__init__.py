"""Models of audit."""

from .log import AuditLog, AuditSeal
from .security import SecurityAuditLog

__all__ = ["AuditLog", "AuditSeal", "SecurityAuditLog"]
