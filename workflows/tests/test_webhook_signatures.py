"""Signatures of received webhooks."""

import base64
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from tenants.services.webhooks import generate_secret
from workflows.schemas import WebhookTrigger
from workflows.services.webhook_signatures import verify_signature

SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", generate_secret()
BODY = b'{"subject": "Invoice"}'
STANDARD = WebhookTrigger()
GITHUB = WebhookTrigger(scheme="github")


def sign(secret=SECRET, webhook_id="msg_1", *, body=BODY, age=0):
    sent_at = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "Webhook-Id": webhook_id,
        "Webhook-Timestamp": str(int(sent_at.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(webhook_id, sent_at, body.decode()),
    }


def sign_github(secret=SECRET, body=BODY, header="X-Hub-Signature-256"):
    return {header: "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex(), "X-GitHub-Delivery": "1"}


def test_signature_of_standard_webhooks():
    assert verify_signature(STANDARD, [SECRET], sign(), BODY) == "msg_1"


def test_either_secret_signs_during_a_rotation():
    both = sign()
    both["Webhook-Signature"] = f"v1a,xyz {sign(OTHER)['Webhook-Signature']} {both['Webhook-Signature']}"

    assert verify_signature(STANDARD, [OTHER, SECRET], sign(), BODY) == "msg_1"
    assert verify_signature(STANDARD, [SECRET], both, BODY) == "msg_1"


@pytest.mark.parametrize("header", ["X-Hub-Signature-256", "x-signature-256"])
def test_signature_in_the_form_of_github(header):
    key = verify_signature(GITHUB, [OTHER, SECRET], sign_github(header=header), BODY)

    assert key.startswith("sha256:")
    assert key == verify_signature(GITHUB, [SECRET], sign_github() | {"X-GitHub-Delivery": "2"}, BODY)
    assert key != verify_signature(GITHUB, [SECRET], sign_github(body=b"{}"), b"{}")


ATTACKS = {
    "no headers": (STANDARD, {}, BODY),
    "other secret": (STANDARD, sign(OTHER), BODY),
    "other body": (STANDARD, sign(), b"{}"),
    "forged ID": (STANDARD, sign() | {"Webhook-Id": "msg_2"}, BODY),
    "empty ID": (STANDARD, sign(webhook_id="") | {"Webhook-Id": ""}, BODY),
    "long ID": (STANDARD, sign(webhook_id="x" * 300), BODY),
    "too old": (STANDARD, sign(age=400), BODY),
    "too new": (STANDARD, sign(age=-86_400), BODY),
    "moved timestamp": (STANDARD, sign() | {"Webhook-Timestamp": "nan"}, BODY),
    "no number": (STANDARD, sign() | {"Webhook-Timestamp": "now"}, BODY),
    "malformed signature": (STANDARD, sign() | {"Webhook-Signature": "xyz"}, BODY),
    "malformed Base64": (STANDARD, sign() | {"Webhook-Signature": "v1,é"}, BODY),
    "no signature": (STANDARD, sign() | {"Webhook-Signature": "v1,"}, BODY),
    "body that is not UTF-8": (STANDARD, sign(), b"\xff"),
    "scheme of GitHub": (STANDARD, sign_github(), BODY),
    "scheme of Standard Webhooks": (GITHUB, sign(), BODY),
    "other secret, GitHub": (GITHUB, sign_github(OTHER), BODY),
    "other body, GitHub": (GITHUB, sign_github(), b"{}"),
    "no prefix, GitHub": (GITHUB, {"X-Hub-Signature-256": sign_github()["X-Hub-Signature-256"][7:]}, BODY),
    "not ASCII, GitHub": (GITHUB, {"X-Hub-Signature-256": "sha256=é"}, BODY),
    "other header, GitHub": (GITHUB, sign_github(header="X-Other-Signature"), BODY),
}


@pytest.mark.security("forged webhook")
@pytest.mark.parametrize("name", ATTACKS)
def test_forged_webhook_is_refused(name, attacks):
    settings, headers, body = ATTACKS[name]

    attacks.attempt(name, succeeded=verify_signature(settings, [SECRET], headers, body) is not None)


@pytest.mark.security("forged webhook")
def test_parts_of_the_signed_text_cannot_be_moved(attacks):
    # "id.timestamp.body" is signed: a body that begins with a timestamp could become an ID with a full stop.
    now = int(datetime.now(UTC).timestamp())
    headers = sign(body=f"{now}.5".encode())
    headers |= {"Webhook-Id": f"msg_1.{headers['Webhook-Timestamp']}", "Webhook-Timestamp": str(now)}

    attacks.attempt(succeeded=verify_signature(STANDARD, [SECRET], headers, b"5") is not None)


@pytest.mark.security("forged webhook", mutation=True)
def test_forged_webhook_is_accepted_without_verification(attacks, monkeypatch):
    monkeypatch.setattr(Webhook, "verify", lambda *args, **options: None)

    attacks.attempt(succeeded=verify_signature(STANDARD, [SECRET], sign(OTHER), BODY) is not None)


@pytest.mark.parametrize("secret", ["", "whsec_", "!", "plain"])
def test_secret_that_is_not_base64_signs_nothing(secret):
    empty = {"Webhook-Signature": "v1," + base64.b64encode(hmac.digest(b"", b"", "sha256")).decode()}

    assert verify_signature(STANDARD, [secret], sign() | empty, BODY) is None
