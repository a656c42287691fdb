"""Entering the platform scope: the reason, and the record of it."""

from typing import Any

from django import forms
from django.db import connection
from unfold.widgets import UnfoldAdminTextareaWidget

from tenants.scoping import platform_scope

ENTERED = (
    "SELECT conclave_record_event('platform.scope_entered', 'tenants.tenant', '', 'success', '',"
    " jsonb_build_object('reason', %s::text))"
)


class ReasonForm(forms.Form):
    """Why all tenants' data is needed."""

    reason = forms.CharField(
        min_length=8,
        max_length=500,
        label="Reason",
        help_text="Why you need to see all tenants' data, for instance a ticket. It is written to the audit log.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


def record_entry(user: Any, reason: str) -> None:
    """Write to the audit log that `user` entered.

    Raises:
        ProgrammingError: when this process may not wear the operator's role.
    """
    with platform_scope(reason=reason, user=user), connection.cursor() as cursor:
        cursor.execute(ENTERED, [reason])
