"""Links in e-mails with which people decide once, without signing in."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.models import Membership, UserProfile, UserSettings
from accounts.services.notifications import is_wanted
from accounts.services.preferences import Preferences
from config.db.prepared import run_prepared
from config.tenancy.scope import tenant_scope
from tenants.event_types import WorkflowApprovalRequestedEvent
from tenants.models import Tenant
from workflows.models import Approval, ApprovalLink
from workflows.services.approvals import (
    Answer,
    ApprovalClosedError,
    NotApproverError,
    decide,
)
from workflows.services.approvers import waiting_for

ACTOR = "system:approvals"
LIFETIME = timedelta(days=7)
SALT = "workflows.approval"
# Log masking recognises this prefix, because the token is part of a URL.
PREFIX = "cvk_approve_"
LINK_SQL = "SELECT link_id, tenant_id, approval_id, user_id FROM conclave_approval_link(%s)"


class LinkClosedError(Exception):
    """The link is used, expired or no longer allows a decision."""


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link that can be used: its ID, tenant, approval and recipient."""

    id: UUID
    tenant_id: UUID
    approval_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class LinkPage:
    """Content of the page of a link."""

    organisation: str
    approval: Approval


@dataclass(frozen=True, slots=True)
class ApprovalEmail:
    """Content of the e-mail. The link contains the token, so it is not shown in logs."""

    recipient: str
    name: str
    organisation: str
    prompt: str
    expires_at: datetime
    is_reminder: bool
    link: str = field(repr=False)

    def send(self) -> None:
        """Send the e-mail.

        Raises:
            OSError: The mail server cannot be reached.
        """
        start = "Reminder: decide" if self.is_reminder else "Your decision"
        # A line break in the name would end the header.
        subject = f"{start} ({' '.join(self.organisation.split())})"
        names = ("name", "organisation", "prompt", "expires_at", "is_reminder", "link")
        text = render_to_string("workflows/approval_email.txt", {name: getattr(self, name) for name in names})
        EmailMessage(subject, text, to=[self.recipient]).send()


def make_token() -> str:
    """Return a random token with a signature, which rejects guesses before any query."""
    return signing.Signer(salt=SALT, sep=".").sign(PREFIX + secrets.token_urlsafe(32))


def digest_token(token: str) -> bytes:
    """Return the SHA-256 of a token (32 bytes)."""
    return sha256(token.encode()).digest()


def send_approval_email(tenant_id: UUID, approval_id: UUID, user_id: UUID, *, is_reminder: bool) -> bool:
    """Send a link to a user who can decide and wants e-mails, and return whether it was sent.

    Call it outside any scope: it reads the settings in the scope of the user.

    Raises:
        OSError: The mail server cannot be reached.
    """
    with tenant_scope(tenant_id, user=user_id, actor=ACTOR):
        approval = waiting_for(user_id).filter(pk=approval_id).first()
        chosen = UserSettings.objects.filter(user_id=user_id).first()
        if approval is None or not is_wanted(chosen, WorkflowApprovalRequestedEvent.name):
            return False
        token = make_token()
        member = Membership.objects.select_related("user", "tenant").get(user_id=user_id)
        expires_at = min(filter(None, (timezone.now() + LIFETIME, approval.expires_at)))
        link = ApprovalLink(
            approval=approval, user_id=user_id, token_digest=digest_token(token), expires_at=expires_at
        )
        link.save(force_insert=True)
        profile = UserProfile.objects.filter(user_id=user_id).first()
        email = ApprovalEmail(
            recipient=member.user.email,
            name=(profile.display_name if profile else "") or member.user.first_name,
            organisation=member.tenant.name,
            prompt=approval.prompt,
            expires_at=expires_at,
            is_reminder=is_reminder,
            link=f"{settings.PUBLIC_URL.rstrip('/')}/approvals/{token}/",
        )
    with Preferences.of(chosen).activated():
        email.send()
    return True


def find_link(token: str) -> OpenLink | None:
    """Return the open link of a token. Call it outside any scope."""
    try:
        signing.Signer(salt=SALT, sep=".").unsign(token)
    except signing.BadSignature:
        return None
    for row in run_prepared(LINK_SQL, [digest_token(token)]):
        return OpenLink(*row)
    return None


def load_page(link: OpenLink) -> LinkPage | None:
    """Return what the page of a link shows, or None if its recipient can no longer decide. Changes nothing."""
    with tenant_scope(link.tenant_id, user=link.user_id, read_only=True):
        approval = waiting_for(link.user_id).filter(pk=link.approval_id).first()
        return LinkPage(Tenant.objects.get(pk=link.tenant_id).name, approval) if approval else None


def decide_by_link(link: OpenLink, answer: Answer) -> None:
    """Record the decision of the link's recipient and use up the link. Call it outside any scope.

    Raises:
        LinkClosedError: the link is used or expired, or its recipient can no longer decide.
        FormValuesError: the values do not match the form. The link can be used again.
    """
    with tenant_scope(link.tenant_id, user=link.user_id):
        rows = ApprovalLink.objects.filter(pk=link.id, used_at=None, expires_at__gt=timezone.now())
        row = rows.select_for_update(no_key=True, of=("self",)).first()
        if row is None:
            raise LinkClosedError
        try:
            decide(link.approval_id, answer, user_id=link.user_id)
        except (ApprovalClosedError, NotApproverError) as error:
            raise LinkClosedError from error
        row.used_at = timezone.now()
        row.save()
