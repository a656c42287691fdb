"""Policies of projects and calendars, and the base of their members.

A project or calendar belongs to a user, who can share it with members. Tasks and events follow their project or
calendar. Administrators have no further access.
"""

from typing import Any, ClassVar

from django.db import models

from config.db.constraints import SYSTEM_CLAUSE, TENANT_CLAUSE, USER_CLAUSE
from config.tenancy.models import MemberForeignKey, TenantModel
from workflows.choices import MemberAccess


def shared_rows(function: str) -> dict[str, str]:
    """Return the policies of projects or calendars: members with write access can change, owners also delete."""
    own = f"{USER_CLAUSE} OR {SYSTEM_CLAUSE}"
    return {
        "read": f"{TENANT_CLAUSE} AND ({own} OR id IN (SELECT {function}(false)))",
        "write": f"{TENANT_CLAUSE} AND ({own} OR id IN (SELECT {function}(true)))",
        "deletable": f"{TENANT_CLAUSE} AND ({own})",
    }


def dependent_rows(function: str, column: str, *, alone: str = "false") -> dict[str, str]:
    """Return the policies of rows that follow the project or calendar in `column`.

    Args:
        alone: SQL condition of the rows without one.
    """
    clause = f"{TENANT_CLAUSE} AND ({SYSTEM_CLAUSE} OR {alone} OR {column} IN (SELECT {function}({{}})))"
    return {"read": clause.format("false"), "write": clause.format("true")}


def member_rows(function: str, table: str, column: str) -> dict[str, str]:
    """Return the policies of members: all members see them, the owner changes them, and each member can leave."""
    owned = f"{column} IN (SELECT id FROM {table} WHERE {USER_CLAUSE})"
    return {
        "read": f"{TENANT_CLAUSE} AND ({SYSTEM_CLAUSE} OR {column} IN (SELECT {function}(false)))",
        "write": f"{TENANT_CLAUSE} AND ({SYSTEM_CLAUSE} OR {owned})",
        "deletable": f"{TENANT_CLAUSE} AND ({SYSTEM_CLAUSE} OR {USER_CLAUSE} OR {owned})",
    }


class SharedWithModel(TenantModel):
    """Base of members: a user with access to a project or calendar of another user."""

    scope_kind: ClassVar[str] = "user"
    row_security: ClassVar[dict[str, Any]]

    user = MemberForeignKey(models.CASCADE, help_text="User with access.")
    access = models.CharField(
        max_length=10, choices=MemberAccess, default=MemberAccess.READ, help_text="Read, or read and write."
    )

    class Meta(TenantModel.Meta):
        abstract = True
