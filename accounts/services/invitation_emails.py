"""The e-mail of an invitation."""

from dataclasses import asdict, dataclass, field
from datetime import datetime

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string


@dataclass(frozen=True, slots=True)
class InvitationEmail:
    """Content of the e-mail.

    The link contains the token, so it is not shown in logs.
    """

    recipient: str
    organisation: str
    inviter: str
    message: str
    expires_at: datetime
    link: str = field(repr=False)


def send_invitation_email(email: InvitationEmail) -> None:
    """Send the e-mail as text and HTML.

    Raises:
        OSError: The mail server cannot be reached.
    """
    context = asdict(email)
    # A line break in the name would end the header.
    subject = f"Invitation to {' '.join(email.organisation.split())}"
    text = render_to_string("accounts/invitation_email.txt", context)
    message = EmailMultiAlternatives(subject, text, to=[email.recipient])
    message.attach_alternative(render_to_string("accounts/invitation_email.html", context), "text/html")
    message.send()
