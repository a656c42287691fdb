"""Endpoints for members, roles, role assignments and API keys."""

from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema

from accounts.choices import ApiKeyStatus, MemberRole, MemberStatus
from accounts.models import Role, User
from accounts.services.grants import (
    check_assignment,
    check_member,
    check_role,
    check_role_deletion,
    require_covered,
)
from accounts.services.keys import check_api_key, create_api_key, revoke_api_key
from accounts.services.members import LastAdministratorError, require_other_administrator
from accounts.services.tenant_access import list_tenant_access
from config.api.credentials import Credential
from config.api.exceptions import Conflict
from config.api.permissions import ANY_CREDENTIAL
from config.api.views import ApiView, json_response
from config.api.viewsets import (
    DestroyMixin,
    ReadOnlyTenantViewSet,
    SecretOnceMixin,
    TenantViewSet,
    UpdateMixin,
)

from .grants import GrantMixin
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


class MemberViewSet(GrantMixin, UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Members of the organisation."""

    serializer_class = MembershipSerializer
    resource = "members"
    search_fields = ("user__email", "user__first_name", "user__last_name")

    def perform_update(self, serializer: Any) -> None:
        changes = serializer.validated_data
        require_covered(self._person, serializer.instance)
        check_member(changes, caller=self.credential)
        stays = changes.get("role", MemberRole.ADMIN) == MemberRole.ADMIN
        if not stays or changes.get("status", MemberStatus.ACTIVE) != MemberStatus.ACTIVE:
            self._keep_an_admin(serializer.instance)
        serializer.save()

    def perform_destroy(self, instance: Any) -> None:
        require_covered(self._person, instance)
        self._keep_an_admin(instance)
        instance.delete()

    @property
    def _person(self) -> Credential:
        """The caller without the restrictions of the key, so that a narrow key can suspend members."""
        return replace(self.credential, key_scopes=None)

    def _keep_an_admin(self, leaving: Any) -> None:
        try:
            require_other_administrator(leaving)
        except LastAdministratorError as error:
            raise Conflict("; ".join(error.messages), code="last_administrator") from error


class RoleViewSet(GrantMixin, TenantViewSet):
    """Sets of permissions defined by the organisation."""

    serializer_class = RoleSerializer
    resource = "roles"
    ordering_fields = ("created_at", "updated_at", "name")

    def perform_create(self, serializer: Any) -> Any:
        check_role(serializer.validated_data, caller=self.credential)
        return super().perform_create(serializer)

    def perform_update(self, serializer: Any) -> None:
        check_role(serializer.validated_data, caller=self.credential, role=serializer.instance)
        super().perform_update(serializer)

    def perform_destroy(self, instance: Any) -> None:
        check_role_deletion(instance, caller=self.credential)
        instance.delete()


class RoleAssignmentViewSet(GrantMixin, TenantViewSet):
    """Roles assigned to users."""

    serializer_class = RoleAssignmentSerializer
    resource = "roles"
    owner_field = "granted_by_id"

    def perform_create(self, serializer: Any) -> Any:
        self._check(serializer)
        return super().perform_create(serializer)

    def perform_update(self, serializer: Any) -> None:
        self._check(serializer)
        super().perform_update(serializer)

    def perform_destroy(self, instance: Any) -> None:
        require_covered(self.credential, instance)
        instance.delete()

    def _check(self, serializer: Any) -> None:
        role = Role.objects.filter(id=serializer.validated_data.get("role_id")).first()
        check_assignment(role, caller=self.credential, assignment=serializer.instance)


class ApiKeyViewSet(SecretOnceMixin, GrantMixin, TenantViewSet):
    """API keys. Deleting a key revokes it permanently."""

    serializer_class = ApiKeySerializer
    resource = "api-keys"
    shown_once = "key"
    ordering_fields = ("created_at", "updated_at", "name")

    @extend_schema(request=ApiKeySerializer, responses={201: NewApiKeySerializer})
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Create an API key. The secret is returned only once."""
        wanted = self.validate(self.get_serializer(data=request.data)).validated_data
        person = wanted.pop("user_id", None) or self.credential.user_id
        key, secret = create_api_key(user_id=person, caller=self.credential, **wanted)
        return self.respond_with_secret(key.pk, secret, 201, Location=f"{request._request.path}{key.pk}/")

    def perform_update(self, serializer: Any) -> None:
        key, wanted = serializer.instance, serializer.validated_data
        check_api_key(wanted, caller=self.credential, key=key)
        if wanted.get("user_id", key.user_id) != key.user_id:
            raise Conflict(
                "The user of an API key cannot be changed. Create a new API key instead.",
                code="key_person_fixed",
            )
        serializer.save()

    def perform_destroy(self, instance: Any) -> None:
        require_covered(self.credential, instance)
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
