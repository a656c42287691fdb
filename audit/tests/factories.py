"""Factories of the audit log, which only database functions write to."""

import factory
from django.db import connection

from audit.models import AuditLog, AuditSeal, SecurityAuditLog
from config.db.session import OPERATOR, SESSION_SQL, Scope
from config.tenancy.scope import require_tenant_id
from config.testing.database import connect, wait_until_closed
from config.testing.factories import BaseFactory
from config.testing.roles import as_platform


class AuditLogFactory(BaseFactory):
    action = factory.Sequence(lambda n: f"test.happened_{n}")

    class Meta:
        model = AuditLog

    @classmethod
    def _create(cls, model_class, *args, action, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT conclave_record_event(%s, 'tests.thing', '1', 'success', '', '{}')", [action]
            )
            return model_class.unscoped.get(pk=cursor.fetchone()[0])


class SecurityAuditLogFactory(BaseFactory):
    tenant_id = factory.LazyFunction(require_tenant_id)
    event_type = "auth.login_failed"
    event_category = "auth"
    action = "login"
    result = "failure"

    class Meta:
        model = SecurityAuditLog


class AuditSealFactory(BaseFactory):
    """Seals a committed event on a separate connection, since seals cannot be rolled back.

    Use it in transactional tests, which truncate the tables.
    """

    class Meta:
        model = AuditSeal

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        with connect() as other, other.transaction():
            other.execute(SESSION_SQL, Scope(OPERATOR, actor="system:test").params())
            other.execute(
                "SELECT conclave_record_event('test.sealed', 'tests.thing', '1', 'success', '', '{}')"
            )
        wait_until_closed()
        with connect() as other, other.transaction():
            other.execute(SESSION_SQL, Scope(OPERATOR, actor="system:test").params())
            (number,) = other.execute("SELECT max(n) FROM conclave_audit_seal()").fetchone()
        with as_platform():
            return model_class.objects.get(n=number)
