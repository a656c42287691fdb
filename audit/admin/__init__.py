"""Console pages of the audit log."""

from .log import AuditLogAdmin, AuditSealAdmin
from .security import SecurityAuditLogAdmin

__all__ = ["AuditLogAdmin", "AuditSealAdmin", "SecurityAuditLogAdmin"]
