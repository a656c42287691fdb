"""Endpoints for members, roles, role assignments and API keys."""

from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema

from accounts.choices import ApiKeyStatus, MemberRole, MemberStatus
from accounts.models import Role, User
from accounts.roles import role_scopes
from accounts.services.keys import create_api_key, revoke_api_key
from accounts.services.members import LastAdministratorError, get_member_scopes, require_other_administrator
from accounts.services.tenant_access import list_tenant_access
from config.api.exceptions import Conflict, Forbidden
from config.api.permissions import ANY_CREDENTIAL
from config.api.scope_fields import require_grantable
from config.api.scopes import beyond
from config.api.views import ApiView, json_response
from config.api.viewsets import DestroyMixin, ReadOnlyTenantViewSet, TenantViewSet, UpdateMixin

from .serializers import (
    ApiKeySerializer,
    MembershipSerializer,
    MeSerializer,
    NewApiKeySerializer,
    PersonSerializer,
    RoleAssignmentSerializer,
    RoleSerializer,
    TenantAccessSerializer,
)


class MemberViewSet(UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Members of the organisation."""

    serializer_class = MembershipSerializer
    resource = "members"
    search_fields = ("user__email", "user__first_name", "user__last_name")

    def perform_update(self, serializer: Any) -> None:
        changes = serializer.validated_data
        self._require_reach(serializer.instance)
        require_grantable(self.credential, changes.get("permissions", ()))
        if "role" in changes:
            require_grantable(self.credential, role_scopes(changes["role"]))
        stays = changes.get("role", MemberRole.ADMIN) == MemberRole.ADMIN
        if not stays or changes.get("status", MemberStatus.ACTIVE) != MemberStatus.ACTIVE:
            self._keep_an_admin(serializer.instance)
        serializer.save()

    def perform_destroy(self, instance: Any) -> None:
        self._require_reach(instance)
        self._keep_an_admin(instance)
        instance.delete()

    def _require_reach(self, member: Any) -> None:
        """Require every permission of `member`; the user's scopes count, not the key's."""
        if beyond(self.credential.scopes, get_member_scopes(member)):
            raise Forbidden("This person has permissions that you do not have.", code="beyond_own_rights")

    def _keep_an_admin(self, leaving: Any) -> None:
        try:
            require_other_administrator(leaving)
        except LastAdministratorError as error:
            raise Conflict("; ".join(error.messages), code="last_administrator") from error


class RoleViewSet(TenantViewSet):
    """Sets of permissions defined by the organisation."""

    serializer_class = RoleSerializer
    resource = "roles"
    ordering_fields = ("created_at", "updated_at", "name")

    def perform_create(self, serializer: Any) -> Any:
        require_grantable(self.credential, serializer.validated_data.get("permissions", ()))
        return super().perform_create(serializer)

    def perform_update(self, serializer: Any) -> None:
        require_grantable(self.credential, serializer.validated_data.get("permissions", ()))
        super().perform_update(serializer)

    def perform_destroy(self, instance: Any) -> None:
        if instance.is_system:
            raise Conflict("System roles cannot be deleted.", code="system_role")
        instance.delete()


class RoleAssignmentViewSet(TenantViewSet):
    """Roles assigned to users."""

    serializer_class = RoleAssignmentSerializer
    resource = "roles"
    owner_field = "granted_by_id"

    def perform_create(self, serializer: Any) -> Any:
        self._require_grantable(serializer)
        return super().perform_create(serializer)

    def perform_update(self, serializer: Any) -> None:
        self._require_grantable(serializer)
        super().perform_update(serializer)

    def _require_grantable(self, serializer: Any) -> None:
        role_id = serializer.validated_data.get("role_id") or getattr(serializer.instance, "role_id", None)
        role = Role.objects.filter(id=role_id).first()
        if role is not None:
            require_grantable(self.credential, role.permissions)


class ApiKeyViewSet(TenantViewSet):
    """API keys. Deleting a key revokes it permanently."""

    serializer_class = ApiKeySerializer
    resource = "api-keys"
    ordering_fields = ("created_at", "updated_at", "name")

    @extend_schema(request=ApiKeySerializer, responses={201: NewApiKeySerializer})
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Create an API key. The secret is returned only once."""
        wanted = self.validate(self.get_serializer(data=request.data)).validated_data
        scopes = wanted.get("scopes", ["*"])
        # A key never exceeds its user's permissions, so `*` on the caller's own key grants nothing more.
        if scopes != ["*"] or self.credential.key_scopes is not None:
            require_grantable(self.credential, scopes)
        person = wanted.pop("user_id", None) or self.credential.user_id
        if person != self.credential.user_id and not self.credential.covers("*"):
            raise Forbidden("Only an administrator can create API keys for another user.", code="not_own_key")
        key, secret = create_api_key(user_id=person, **wanted)
        body, _ = self.represent(key.pk)
        shown = orjson.loads(body) | {"key": secret}
        headers = {"Location": f"{request._request.path}{key.pk}/", "Cache-Control": "no-store"}
        return json_response(shown, 201, headers)

    def response_to_store(self, response: HttpResponse) -> HttpResponse:
        if response.status_code >= 400:
            return response
        shown = orjson.loads(response.content) | {"key": None}
        return json_response(shown, response.status_code, {"Location": response["Location"]})

    def perform_update(self, serializer: Any) -> None:
        wanted = serializer.validated_data
        if serializer.instance.user_id != self.credential.user_id and not self.credential.covers("*"):
            raise Forbidden("Only an administrator can change API keys of another user.", code="not_own_key")
        require_grantable(self.credential, wanted.get("scopes", ()))
        person = wanted.get("user_id", serializer.instance.user_id)
        if person != serializer.instance.user_id:
            raise Conflict(
                "The user of an API key cannot be changed. Create a new API key instead.",
                code="key_person_fixed",
            )
        serializer.save()

    def perform_destroy(self, instance: Any) -> None:
        if instance.status != ApiKeyStatus.REVOKED:
            revoke_api_key(instance)


class MeView(ApiView):
    """The authenticated user."""

    resource = ANY_CREDENTIAL
    scope = "manual"
    serializer_class = MeSerializer

    @extend_schema(responses={200: MeSerializer})
    def get(self, request: Any) -> HttpResponse:
        """Return the authenticated user, the current organisation and the permissions."""
        credential = self.credential
        seats = list_tenant_access(credential.user_id)
        if credential.kind == "key":
            # A key belongs to one organisation and must not reveal the user's other memberships.
            seats = [membership for membership in seats if membership.tenant_id == credential.tenant_id]
        with self.scoped():
            person = PersonSerializer(User.objects.get(id=credential.user_id)).data
        return json_response(
            {
                "kind": credential.kind,
                "person": person,
                "tenant": credential.tenant_id,
                "tenant_slug": credential.tenant_slug,
                "role": credential.role,
                "scopes": sorted(credential.scopes),
                "key_scopes": None if credential.key_scopes is None else sorted(credential.key_scopes),
                "memberships": TenantAccessSerializer(seats, many=True).data,
            }
        )
