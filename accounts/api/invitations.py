"""Endpoints for invitations: for the tenant that invites, and for the invited person."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated

from accounts.models import Invitation
from accounts.services.invitations import (
    InvitationError,
    OpenInvitation,
    TooManyInvitationsError,
    accept_invitation,
    create_invitation,
    decline_invitation,
    find_invitation,
    list_open_invitations,
    resend_invitation,
    revoke_invitation,
)
from config.api.exceptions import Conflict
from config.api.permissions import ANY_CREDENTIAL
from config.api.serializers import BaseSerializer
from config.api.views import ApiView, bodyless, json_response
from config.api.viewsets import CreateMixin, ReadOnlyTenantViewSet

from .authentication import PersonAuthentication
from .grants import GrantMixin


class InvitationSerializer(BaseSerializer):
    """An invitation to the organisation. It shows nothing about the invited person before acceptance."""

    class Meta:
        model = Invitation
        fields = (
            "email",
            "role",
            "message",
            "status",
            "expires_at",
            "sent_at",
            "settled_at",
            "invited_by",
            "accepted_by",
        )
        read_only_fields = ("status", "sent_at", "settled_at", "invited_by", "accepted_by")
        extra_kwargs = {"expires_at": {"required": False}}


class OpenInvitationSerializer(serializers.Serializer):
    """An open invitation, as the invited person sees it."""

    id = serializers.UUIDField()
    organisation = serializers.CharField(help_text="Name of the organisation.")
    inviter = serializers.CharField(help_text="Name of the person who invites. Empty for the platform.")
    email = serializers.EmailField()
    role = serializers.CharField()
    message = serializers.CharField()
    expires_at = serializers.DateTimeField()


class AnswerSerializer(serializers.Serializer):
    """The invitation to answer: the token of its link, or its ID if it was sent to your address."""

    token = serializers.CharField(
        required=False, max_length=200, help_text="Token in the link of the e-mail."
    )
    invitation = serializers.UUIDField(required=False, help_text="ID of one of your open invitations.")

    def validate(self, attrs: Any) -> Any:
        if len(attrs) != 1:
            raise serializers.ValidationError("Send either a token or the ID of an invitation.")
        return attrs


class AcceptedSerializer(serializers.Serializer):
    """The new membership."""

    id = serializers.UUIDField(help_text="ID of the membership.")
    tenant = serializers.UUIDField()
    organisation = serializers.CharField()
    role = serializers.CharField()


class InvitationErrorMixin(GrantMixin):
    """Mixin that answers 409 to refused invitations and answers, and 429 to too many."""

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, InvitationError):
            exc = Conflict(exc.message, code=exc.code)
        elif isinstance(exc, TooManyInvitationsError):
            exc = exceptions.Throttled(wait=exc.seconds)
        return super().handle_exception(exc)


class InvitationViewSet(InvitationErrorMixin, CreateMixin, ReadOnlyTenantViewSet):
    """Invitations to the organisation. The invited person becomes a member by accepting."""

    serializer_class = InvitationSerializer
    resource = "members"
    verbs = {"resend": "write", "revoke": "write"}

    def perform_create(self, serializer: Any) -> Any:
        values = {"role": Invitation._meta.get_field("role").default} | serializer.validated_data
        return create_invitation(caller=self.credential, **values)

    @bodyless(responses={200: InvitationSerializer})
    @action(detail=True, methods=["post"])
    def resend(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Send the e-mail again with a new link. The earlier link stops working."""
        invitation = self.get_object(lock=True)
        resend_invitation(invitation, caller=self.credential)
        return self.respond_with(invitation.pk)

    @bodyless(responses={200: InvitationSerializer})
    @action(detail=True, methods=["post"])
    def revoke(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Revoke a pending invitation. Its link stops working."""
        invitation = self.get_object(lock=True)
        revoke_invitation(invitation, caller=self.credential)
        return self.respond_with(invitation.pk)


class PersonView(InvitationErrorMixin):
    """Base of endpoints for a signed-in user, with or without a tenant."""

    resource = ANY_CREDENTIAL
    scope = "manual"
    authentication_classes = (PersonAuthentication,)
    permission_classes = (IsAuthenticated,)


class MyInvitationsView(PersonView):
    """Open invitations to your address."""

    serializer_class = OpenInvitationSerializer

    @extend_schema(responses={200: OpenInvitationSerializer(many=True)})
    def get(self, request: Any) -> HttpResponse:
        """List the open invitations to your verified e-mail address."""
        found = list_open_invitations(request.user)
        return json_response(OpenInvitationSerializer(found, many=True).data)


class AcceptInvitationView(PersonView):
    """Acceptance of an invitation."""

    serializer_class = AnswerSerializer

    @extend_schema(request=AnswerSerializer, responses={200: AcceptedSerializer})
    def post(self, request: Any) -> HttpResponse:
        """Accept an invitation and become a member of the organisation."""
        offer = _find_offer(self, request.user)
        member = accept_invitation(offer, user=request.user)
        membership = {
            "id": member.pk,
            "tenant": offer.tenant_id,
            "organisation": offer.organisation,
            "role": member.role,
        }
        return json_response(AcceptedSerializer(membership).data)


class DeclineInvitationView(PersonView):
    """Refusal of an invitation."""

    serializer_class = AnswerSerializer

    @extend_schema(request=AnswerSerializer, responses={204: None})
    def post(self, request: Any) -> HttpResponse:
        """Decline an invitation. The organisation sees that it was declined."""
        decline_invitation(_find_offer(self, request.user))
        return HttpResponse(status=204)


def _find_offer(view: ApiView, user: Any) -> OpenInvitation:
    """Return the open invitation that the body names.

    Raises:
        Http404: The token or the ID is not that of an open invitation.
    """
    wanted = view.validate_body(AnswerSerializer)
    if "token" in wanted:
        found = find_invitation(wanted["token"])
    else:
        mine = list_open_invitations(user)
        found = next((offer for offer in mine if offer.id == wanted["invitation"]), None)
    if found is None:
        raise Http404
    return found
