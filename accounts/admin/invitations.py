"""Invitations."""

from django import forms
from django.contrib import admin, messages
from django.http import HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin.grants import GrantAdminMixin, GrantForm
from accounts.models import Invitation
from accounts.services.invitations import (
    InvitationError,
    TooManyInvitationsError,
    create_invitation,
    prepare_invitation,
    resend_invitation,
    revoke_invitation,
)
from config.admin.bases import fieldset
from tenants.admin.platform_grants import PlatformGrantAdmin, PlatformGrantForm
from tenants.models import Tenant


class InvitationForm(GrantForm):
    """Form of a new invitation."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "expires_at" in self.fields:
            self.fields["expires_at"].required = False

    def check(self, changes, row):
        organisation = changes.get("organisation")
        prepare_invitation(
            changes["email"],
            changes["role"],
            changes["expires_at"],
            caller=self.access,
            tenant_id=organisation and organisation.pk,
        )


class PlatformInvitationForm(PlatformGrantForm, InvitationForm):
    """Invitation form for platform staff, who also choose the organisation."""

    organisation = forms.ModelChoiceField(Tenant.objects.none(), widget=UnfoldAdminSelectWidget)


@admin.register(Invitation)
class InvitationAdmin(GrantAdminMixin, PlatformGrantAdmin):
    """Invitations. An invitation is sent when it is added; it is never changed, only sent again or revoked."""

    form = InvitationForm
    platform_form = PlatformInvitationForm
    resource = "members"
    icon = "mail"
    position = 15
    list_display = ("email", "role", "status", "expires_at", "sent_at", "invited_by")
    list_filter = ("status", "role")
    search_fields = ("email",)
    add_fieldsets = (fieldset(None, "email", "role", "message", "expires_at"),)
    fieldsets = (
        fieldset(None, ("email", "role"), "status", "message"),
        fieldset("Times", ("sent_at", "expires_at", "settled_at")),
        fieldset("People", ("invited_by", "accepted_by")),
    )
    actions = ("resend", "revoke")

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_send_permission(self, request):
        return self._may(request, "write", "UPDATE")

    def save_model(self, request, obj, form, change):
        invitation = create_invitation(
            email=obj.email,
            role=obj.role,
            message=obj.message,
            expires_at=obj.expires_at,
            caller=request.console,
            tenant_id=obj.tenant_id if request.console.is_platform else None,
        )
        obj.pk = invitation.pk
        obj.refresh_from_db()

    def add_view(self, request, form_url="", extra_context=None):
        try:
            return super().add_view(request, form_url, extra_context)
        except TooManyInvitationsError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:accounts_invitation_changelist"))

    @admin.action(description="Send again with a new link", permissions=["send"])
    def resend(self, request, queryset):
        self._apply(request, queryset, resend_invitation, "sent again")

    @admin.action(description="Revoke", permissions=["send"])
    def revoke(self, request, queryset):
        self._apply(request, queryset, revoke_invitation, "revoked")

    def _apply(self, request, queryset, change, done):
        changed = 0
        for invitation in queryset.select_for_update(of=("self",)):
            try:
                change(invitation, caller=request.console)
            except (InvitationError, TooManyInvitationsError) as refusal:
                text = " ".join(getattr(refusal, "messages", [str(refusal)]))
                self.message_user(request, f"{invitation.email}: {text}", messages.ERROR)
            else:
                changed += 1
        if changed:
            self.message_user(request, f"{changed} invitations {done}.", messages.SUCCESS)
