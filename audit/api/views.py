"""Endpoints of the audit logs."""

from typing import Any

from django.http import HttpResponse
from rest_framework.decorators import action

from audit.services.security import mark_reviewed
from config.api.views import bodyless
from config.api.viewsets import ReadOnlyTenantViewSet

from .serializers import AuditLogSerializer, SecurityAuditLogSerializer


class AuditLogViewSet(ReadOnlyTenantViewSet):
    """Changes and events in the organisation, newest first."""

    serializer_class = AuditLogSerializer
    resource = "audit"


class SecurityLogViewSet(ReadOnlyTenantViewSet):
    """Security events, newest first."""

    serializer_class = SecurityAuditLogSerializer
    resource = "security"
    verbs = {"review": "write"}

    @bodyless(responses={200: SecurityAuditLogSerializer})
    @action(detail=True, methods=["post"])
    def review(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Mark the event as reviewed by the authenticated user."""
        event = self.get_object(lock=True)
        mark_reviewed(self.get_queryset().filter(pk=event.pk), reviewer_id=self.credential.user_id)
        return self.respond_with(event.pk)
