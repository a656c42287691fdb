"""End of the sessions of a deleted tenant."""

from typing import Any
from uuid import UUID

from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import Membership
from accounts.services.tenant_access import TENANT_KEY
from config.db.session import OPERATOR, Scope
from config.sessions import SessionStore
from config.tenancy.scope import ScopedTransaction

SCOPE = Scope(OPERATOR, actor="system:tenant_deletion", reason="end the sessions of a tenant")
BATCH = 1_000


def end_tenant_sessions(*, tenant_id: UUID, **_: Any) -> None:
    """End the sessions that selected the tenant, and those of members without another membership.

    Call it outside any scope.
    """
    with ScopedTransaction(SCOPE):
        members = Membership.unscoped.filter(tenant_id=tenant_id).values("user_id")
        others = Membership.unscoped.exclude(tenant_id=tenant_id).values("user_id")
        leaving = {
            str(user) for user in members.exclude(user_id__in=others).values_list("user_id", flat=True)
        }
    store, last = SessionStore(), ""
    while True:
        open_sessions = Session.objects.filter(expire_date__gt=timezone.now(), session_key__gt=last)
        batch = list(open_sessions.order_by("session_key")[:BATCH])
        for session in batch:
            data = store.decode(session.session_data)
            if data.get(TENANT_KEY) == str(tenant_id) or data.get("_auth_user_id") in leaving:
                session.delete()
        if len(batch) < BATCH:
            return
        last = batch[-1].session_key
