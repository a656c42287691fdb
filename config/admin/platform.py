"""Form and audit event for entering the platform scope."""

from typing import Any

from django import forms
from django.db import connection
from unfold.widgets import UnfoldAdminTextareaWidget

from config.tenancy.scope import platform_scope

RECORD_ENTRY_SQL = (
    "SELECT conclave_record_event('platform.scope_entered', 'tenants.tenant', '', 'success', '',"
    " jsonb_build_object('reason', %s::text))"
)


class ReasonForm(forms.Form):
    """The reason for accessing the data of all tenants."""

    reason = forms.CharField(
        min_length=8,
        max_length=500,
        label="Reason",
        help_text="Reason for accessing the data of all tenants, such as a ticket number. Recorded in the audit log.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


def record_platform_entry(user: Any, reason: str) -> None:
    """Record in the audit log that `user` entered the platform scope.

    Raises:
        ProgrammingError: The database login cannot use the operator role.
    """
    with platform_scope(reason=reason, user=user), connection.cursor() as cursor:
        cursor.execute(RECORD_ENTRY_SQL, [reason])
