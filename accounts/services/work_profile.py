"""Columns of the work profile, which users fill in for themselves."""

from typing import Any
from uuid import UUID

from accounts.models import WorkProfile


def read_work_profile(user_id: UUID | None, column: str) -> dict[str, Any]:
    """Return a JSON column of the user's work profile in the open scope; empty without a profile."""
    return WorkProfile.objects.filter(user_id=user_id).values_list(column, flat=True).first() or {}
