"""Serializers of users, memberships, roles and API keys."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.models import ApiKey, Membership, Role, RoleAssignment, User
from config.api.scope_fields import ScopeListField
from config.api.serializers import BaseSerializer, ReadOnlySerializer


class PersonSerializer(ReadOnlySerializer):
    """A user, as shown to other members."""

    class Meta:
        model = User
        fields = ("id", "email", "username", "first_name", "last_name", "avatar_url", "status", "is_verified")


class MembershipSerializer(BaseSerializer):
    """A membership in the organisation."""

    permissions = ScopeListField(required=False, help_text="Permissions in addition to those of the role.")

    class Meta:
        model = Membership
        fields = ("user", "role", "status", "permissions", "joined_at")
        read_only_fields = ("joined_at",)
        extra_kwargs = {"user": {"read_only": True}}


class RoleSerializer(BaseSerializer):
    """A set of permissions defined by the organisation."""

    permissions = ScopeListField(required=False, help_text='Permissions, such as ["agents:read"].')

    class Meta:
        model = Role
        fields = ("name", "slug", "description", "permissions", "is_system")


class RoleAssignmentSerializer(BaseSerializer):
    """A role assigned to a user."""

    class Meta:
        model = RoleAssignment
        fields = (
            "user",
            "role",
            "scope",
            "engagement",
            "is_active",
            "granted_at",
            "granted_by",
            "expires_at",
        )
        read_only_fields = ("granted_at",)


class ApiKeySerializer(BaseSerializer):
    """An API key, without its secret."""

    scopes = ScopeListField(
        required=False, help_text='Scopes of the key. ["*"] grants every permission of its user.'
    )

    class Meta:
        model = ApiKey
        fields = (
            "user",
            "name",
            "key_prefix",
            "engagement",
            "scopes",
            "status",
            "rate_limit",
            "expires_at",
            "last_used_at",
            "metadata",
        )
        read_only_fields = ("status",)
        extra_kwargs = {"user": {"required": False}}

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        unchanged = self.instance is not None and value == self.instance.expires_at
        if value is not None and value <= timezone.now() and not unchanged:
            raise serializers.ValidationError("The expiry time must be in the future.", code="past")
        return value


class NewApiKeySerializer(ApiKeySerializer):
    """A new API key with its secret, which is returned only once."""

    key = serializers.CharField(
        read_only=True, allow_null=True, help_text="The secret key. It is returned only once."
    )

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")


class TenantAccessSerializer(serializers.Serializer):
    """An organisation that the user belongs to."""

    tenant = serializers.UUIDField(source="tenant_id")
    slug = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    role = serializers.CharField()


class MeSerializer(serializers.Serializer):
    """The authenticated user, the current organisation and the permissions."""

    kind = serializers.CharField(help_text="`key` or `session`.")
    person: Any = PersonSerializer()
    tenant = serializers.UUIDField()
    tenant_slug = serializers.CharField()
    role = serializers.CharField()
    scopes = serializers.ListField(
        child=serializers.CharField(), help_text="Scopes that the user has in the organisation."
    )
    key_scopes = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="Scopes of the API key; null for a session."
    )
    memberships = TenantAccessSerializer(many=True)
