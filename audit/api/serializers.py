"""Serializers of the audit logs."""

from rest_framework import serializers

from audit.models import AuditLog, SecurityAuditLog
from config.api.serializers import ReadOnlySerializer


class AuditLogSerializer(ReadOnlySerializer):
    """One change or event."""

    class Meta:
        model = AuditLog
        fields = (
            "id",
            "created_at",
            "actor",
            "user_id",
            "action",
            "resource_type",
            "resource_id",
            "old_values",
            "new_values",
            "ip_address",
            "user_agent",
            "request_id",
            "db_user",
            "status",
            "error_message",
            "metadata",
        )


class SecurityAuditLogSerializer(ReadOnlySerializer):
    """One security event."""

    class Meta:
        model = SecurityAuditLog
        fields = (
            "id",
            "created_at",
            "event_type",
            "event_category",
            "severity",
            "actor_user_id",
            "actor_email",
            "actor_role",
            "target_type",
            "target_id",
            "target_details",
            "ip_address",
            "user_agent",
            "request_id",
            "action",
            "result",
            "error_code",
            "details",
            "occurrences",
            "last_occurred_at",
            "requires_review",
            "assigned_to",
            "review_state",
            "review_comments",
            "reviewed_at",
            "reviewed_by",
        )


class AssignSerializer(serializers.Serializer):
    """Member who shall review an event."""

    assigned_to = serializers.UUIDField(allow_null=True, help_text="Active member; null for nobody.")


class CommentSerializer(serializers.Serializer):
    """Comment on the review of an event."""

    text = serializers.CharField(max_length=2000, help_text="Text of the comment.")
