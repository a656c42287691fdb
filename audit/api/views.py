"""Endpoints of the audit logs."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action

from audit.services.security import assign_review, comment_review, mark_reviewed
from config.api.views import bodyless
from config.api.viewsets import ReadOnlyTenantViewSet

from .serializers import AssignSerializer, AuditLogSerializer, CommentSerializer, SecurityAuditLogSerializer


class AuditLogViewSet(ReadOnlyTenantViewSet):
    """Changes and events in the organisation, newest first."""

    serializer_class = AuditLogSerializer
    resource = "audit"


class SecurityLogViewSet(ReadOnlyTenantViewSet):
    """Security events, newest first."""

    serializer_class = SecurityAuditLogSerializer
    resource = "security"
    verbs = {"review": "write", "assign": "write", "comment": "write"}

    @extend_schema(request=AssignSerializer, responses={200: SecurityAuditLogSerializer})
    @action(detail=True, methods=["post"])
    def assign(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Assign the review of the event to a member. An event that needs none then needs one."""
        wanted = self.validate_body(AssignSerializer)
        event = self.get_object(lock=True)
        assign_review(self.get_queryset().filter(pk=event.pk), reviewer_id=wanted["assigned_to"])
        return self.respond_with(event.pk)

    @extend_schema(request=CommentSerializer, responses={200: SecurityAuditLogSerializer})
    @action(detail=True, methods=["post"])
    def comment(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Append a comment to the review of the event."""
        wanted = self.validate_body(CommentSerializer)
        event = self.get_object(lock=True)
        comment_review(event, text=wanted["text"], author_id=self.credential.user_id)
        return self.respond_with(event.pk)

    @bodyless(responses={200: SecurityAuditLogSerializer})
    @action(detail=True, methods=["post"])
    def review(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Close the review: mark the event as reviewed by the authenticated user."""
        event = self.get_object(lock=True)
        mark_reviewed(self.get_queryset().filter(pk=event.pk), reviewer_id=self.credential.user_id)
        return self.respond_with(event.pk)
