"""Invitations, from their creation to the answer of the invited person.

Creating an invitation never looks up the address outside the tenant, so the answer and its time do not depend on
whether the address is registered.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from accounts.choices import InvitationStatus, MemberStatus
from accounts.models import Invitation, Membership, User
from accounts.roles import role_scopes
from accounts.services.grants import Caller, check_member, get_scopes, require_covered
from accounts.services.invitation_emails import InvitationEmail, send_invitation_email
from accounts.services.members import add_member
from accounts.services.signin import confirm_email_address
from config.api.credentials import count_hit
from config.api.scopes import beyond
from config.db.errors import exceeds_limit
from config.db.prepared import run_prepared
from config.tenancy.scope import require_scope, require_tenant_id, tenant_scope
from tenants.event_types import MemberInvitedEvent, MemberJoinedEvent
from tenants.models import Tenant
from tenants.services.outbox import publish

LIFETIME = timedelta(days=7)
MAX_LIFETIME = timedelta(days=30)
SALT = "accounts.invitation"
# Log masking recognises this prefix, because the token is part of a URL.
PREFIX = "cvk_invite_"
HOUR = 3600
PER_TENANT, PER_ADDRESS = 100, 5
OPEN_SQL = (
    "SELECT invitation_id, tenant_id, tenant_name, email, role, message, expires_at, inviter"
    " FROM conclave_open_invitations(%s, %s)"
)


CLOSED = "This invitation is not valid. Ask for a new one."


class InvitationError(ValidationError):
    """The invitation cannot be created or answered. The API answers 409 with `code`."""

    code = "invitation_closed"

    def __init__(self, message: str) -> None:
        super().__init__(message, code=type(self).code)


class AlreadyMemberError(InvitationError):
    """The address belongs to a member of the tenant."""

    code = "already_member"


class MemberLimitError(InvitationError):
    """The tenant has as many members as its limit allows."""

    code = "limit_exceeded"


class OtherAddressError(InvitationError):
    """The signed-in user has another address than the invitation."""

    code = "other_address"


class TooManyInvitationsError(Exception):
    """The tenant sent too many invitations.

    `seconds` is the time until the limit resets.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many invitations. Try again in {max(seconds, 1)} seconds.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """A pending invitation as the invited person sees it."""

    id: UUID
    tenant_id: UUID
    organisation: str
    email: str
    role: str
    message: str
    expires_at: datetime
    inviter: str


def create_invitation(
    *,
    email: str,
    role: str,
    caller: Caller,
    message: str = "",
    expires_at: datetime | None = None,
    tenant_id: UUID | None = None,
) -> Invitation:
    """Invite an e-mail address to the current tenant and send the e-mail on commit.

    Args:
        tenant_id: The tenant, in the platform scope.

    Raises:
        GrantRefusedError: The caller lacks permissions of the role.
        AlreadyMemberError: The address belongs to a member.
        TooManyInvitationsError: The tenant sent too many invitations.
        django.db.IntegrityError: An invitation to the address is open.
    """
    email = prepare_invitation(email, role, expires_at, caller=caller, tenant_id=tenant_id)
    invitation = Invitation(
        tenant_id=tenant_id or require_tenant_id(),
        email=email,
        role=role,
        message=message,
        sent_at=timezone.now(),
        expires_at=expires_at or timezone.now() + LIFETIME,
    )
    if tenant_id is None:
        # Platform staff are not members.
        invitation.invited_by_id = caller.user_id
    _send(invitation)
    publish(
        MemberInvitedEvent(
            invitation_id=invitation.pk, email=email, role=role, invited_by=invitation.invited_by_id
        ),
        tenant_id=invitation.tenant_id,
    )
    return invitation


def prepare_invitation(
    email: str, role: str, expires_at: datetime | None, *, caller: Caller, tenant_id: UUID | None = None
) -> str:
    """Check that the caller may invite the address, and mark an overdue invitation to it as expired.

    Returns:
        The address in lower case.

    Raises:
        GrantRefusedError: The caller lacks permissions of the role.
        AlreadyMemberError: The address belongs to a member.
    """
    check_member({"role": role}, caller=caller)
    email, now = email.strip().lower(), timezone.now()
    if expires_at is not None and not now < expires_at <= now + MAX_LIFETIME:
        raise ValidationError({"expires_at": f"Choose a time within the next {MAX_LIFETIME.days} days."})
    tenant = {"tenant_id": tenant_id or require_tenant_id()}
    if Membership.objects.filter(**tenant, user__email=email).exists():
        raise AlreadyMemberError("This person is already a member.")
    invited = Invitation.objects.filter(**tenant, email=email, status=InvitationStatus.PENDING)
    if overdue := invited.filter(expires_at__lte=now).first():
        _settle(overdue, InvitationStatus.EXPIRED)
    return email


def resend_invitation(invitation: Invitation, *, caller: Caller) -> None:
    """Send a new link, which replaces the earlier one, and start the expiry again.

    The caller becomes the inviter, so that the link is valid although the earlier inviter lost the permissions.
    Platform staff are not members and leave the inviter unchanged.

    Raises:
        GrantRefusedError: The caller lacks permissions of the invitation's role.
        InvitationError: The invitation is not pending.
        TooManyInvitationsError: The tenant sent too many invitations.
    """
    _require_pending(invitation, caller)
    if require_scope().tenant_id is not None:
        invitation.invited_by_id = caller.user_id
    invitation.sent_at = timezone.now()
    invitation.expires_at = max(invitation.expires_at, invitation.sent_at + LIFETIME)
    _send(invitation)
    _record(invitation, "resent")


def revoke_invitation(invitation: Invitation, *, caller: Caller) -> None:
    """Revoke a pending invitation. Its link stops working.

    Raises:
        GrantRefusedError: The caller lacks permissions of the invitation's role.
        InvitationError: The invitation is not pending.
    """
    _require_pending(invitation, caller)
    _settle(invitation, InvitationStatus.REVOKED)


def make_token() -> str:
    """Return a random token with a signature, which rejects guesses before any query."""
    return signing.Signer(salt=SALT, sep=".").sign(PREFIX + secrets.token_urlsafe(32))


def digest_token(token: str) -> bytes:
    """Return the SHA-256 of a token (32 bytes)."""
    return sha256(token.encode()).digest()


def find_invitation(token: str) -> OpenInvitation | None:
    """Return the open invitation of a token. Call it outside any scope."""
    try:
        signing.Signer(salt=SALT, sep=".").unsign(token)
    except signing.BadSignature:
        return None
    found = list(_query(digest_token(token), None))
    return found[0] if found else None


def list_open_invitations(user: User) -> list[OpenInvitation]:
    """Return the open invitations to a user's verified address.

    Call it outside any scope.
    """
    return list(_query(None, user.pk))


def is_registered(email: str) -> bool:
    """Return whether a user has this address.

    Only the holder of a token may learn it.
    Call it outside any scope.
    """
    return User.objects.filter(email=email).exists()


def sign_up_invited(
    offer: OpenInvitation, *, password: str, first_name: str = "", last_name: str = ""
) -> User:
    """Create a verified user for the invited address, which the token proves.

    Call it outside any scope.

    Raises:
        InvitationError: The invitation is not open.
        django.db.IntegrityError: A user with this address exists.
    """
    with tenant_scope(offer.tenant_id, actor="system:invitation"):
        _check_inviter(_lock_open(offer))
    user = User.objects.create_user(
        offer.email, password, first_name=first_name, last_name=last_name, is_verified=True
    )
    confirm_email_address(user)
    return user


def accept_invitation(offer: OpenInvitation, *, user: User) -> Membership:
    """Make the user a member. Call it outside any scope.

    Raises:
        OtherAddressError: The user has another address.
        InvitationError: The invitation is not open.
        MemberLimitError: The tenant has as many members as its limit allows.
    """
    _check_address(offer, user)
    with tenant_scope(offer.tenant_id, user=user):
        invitation = _lock_open(offer)
        _check_inviter(invitation)
        member = Membership.objects.filter(user_id=user.pk).first() or _add_member(user, invitation.role)
        invitation.accepted_by_id = user.pk
        _settle(invitation, InvitationStatus.ACCEPTED)
        publish(MemberJoinedEvent(membership_id=member.pk, user_id=user.pk, role=member.role))
    return member


def _add_member(user: User, role: str) -> Membership:
    try:
        return add_member(user, role=role)
    except DatabaseError as error:
        if not exceeds_limit(error):
            raise
        raise MemberLimitError(
            "The organisation has as many members as its limit allows. Ask its administrator for a place."
        ) from error


def decline_invitation(offer: OpenInvitation) -> None:
    """Decline an invitation. Call it outside any scope.

    Raises:
        InvitationError: The invitation is not open.
    """
    # The log does not name the user: the tenant must not learn whether the address has one.
    with tenant_scope(offer.tenant_id, actor="system:invitation"):
        _settle(_lock_open(offer), InvitationStatus.DECLINED)


def _check_address(offer: OpenInvitation, user: User) -> None:
    if user.email != offer.email:
        raise OtherAddressError(
            "This invitation was sent to another e-mail address. Sign in with that address to accept it."
        )


def _query(digest: bytes | None, user_id: UUID | None) -> Iterable[OpenInvitation]:
    return (OpenInvitation(*row) for row in run_prepared(OPEN_SQL, [digest, user_id]))


def _send(invitation: Invitation) -> None:
    """Give the invitation a new token, save it and send the e-mail on commit."""
    tenant_id = invitation.tenant_id
    address = sha256(invitation.email.encode()).hexdigest()
    for bucket, limit in ((f"{tenant_id}", PER_TENANT), (f"{tenant_id}:{address}", PER_ADDRESS)):
        rate = count_hit(f"invite:{bucket}", limit, HOUR)
        if rate.exceeded:
            raise TooManyInvitationsError(rate.reset)
    token = make_token()
    invitation.token_digest = digest_token(token)
    invitation.full_clean(exclude=["tenant"], validate_unique=False, validate_constraints=False)
    invitation.save()
    inviter = User.objects.filter(pk=invitation.invited_by_id).first()
    email = InvitationEmail(
        recipient=invitation.email,
        organisation=Tenant.objects.get(pk=tenant_id).name,
        inviter=inviter.get_full_name() if inviter else "",
        message=invitation.message,
        expires_at=invitation.expires_at,
        link=f"{settings.PUBLIC_URL.rstrip('/')}/invitations/{token}/",
    )

    def send() -> None:
        send_invitation_email(email)

    # An unreachable mail server must not undo the invitation, which can be sent again.
    transaction.on_commit(send, robust=True)


def _require_pending(invitation: Invitation, caller: Caller) -> None:
    require_covered(caller, invitation)
    if invitation.status != InvitationStatus.PENDING:
        raise InvitationError(f"The invitation is {invitation.get_status_display().lower()}.")


def _lock_open(offer: OpenInvitation) -> Invitation:
    invitation = (
        Invitation.objects.filter(pk=offer.id, status=InvitationStatus.PENDING, expires_at__gt=timezone.now())
        .select_for_update(of=("self",))
        .first()
    )
    if invitation is None:
        raise InvitationError(CLOSED)
    return invitation


def _check_inviter(invitation: Invitation) -> None:
    """Require that the inviter still has the permissions of the role."""
    if invitation.invited_by_id is None:
        return
    inviter = Membership.objects.get(user_id=invitation.invited_by_id)
    scopes = get_scopes(inviter) if inviter.status == MemberStatus.ACTIVE else ()
    if beyond(scopes, role_scopes(invitation.role)):
        raise InvitationError(CLOSED)


def _settle(invitation: Invitation, status: InvitationStatus) -> None:
    invitation.status, invitation.token_digest = status, None
    invitation.settled_at = timezone.now()
    invitation.save()
    _record(invitation, status)


def _record(invitation: Invitation, step: str) -> None:
    """Write `invitation.<step>` to the audit log, where the trigger writes `created` and `updated`."""
    values: list[Any] = [f"invitation.{step}", invitation._meta.label_lower, str(invitation.pk)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conclave_record_event(%s, %s, %s, 'success', '', %s)",
            [*values, Jsonb({"role": invitation.role})],  # type: ignore[list-item]
        )
