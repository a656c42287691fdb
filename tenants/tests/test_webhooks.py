"""Webhooks: signatures, retries, dead letters, replay and limits of responses."""

import threading
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import jsonschema
import pytest
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from config.tenancy.scope import tenant_scope
from tenants.api.webhook_schema import add_webhooks
from tenants.event_types import EVENT_TYPES, RunCompletedEvent
from tenants.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tenants.services import deliveries, relay
from tenants.services.deliveries import claim_deliveries, deliver_pending, record_results
from tenants.services.outbox import publish
from tenants.services.relay import relay_events
from tenants.services.webhooks import MAX_ATTEMPTS, RETRY_DELAYS, replay_deliveries, rotate_secret
from tenants.tests.factories import WebhookEndpointFactory

URL = "/api/v1/webhook-endpoints/"


class Receiver(ThreadingHTTPServer):
    """A receiver on loopback. `answers` maps paths to status, headers and body."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.answers = [], {}

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        status, headers, body = self.server.answers.get(self.path, (200, {}, b"ok"))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver(settings):
    with Receiver() as server:
        settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.1/32"], [server.server_port]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def rolled_back(monkeypatch):
    """Relay events of the open transaction, since tests do not commit."""
    monkeypatch.setattr(relay, "RELAYABLE", "true")


@contextmanager
def scoped(tenant):
    with tenant_scope(tenant, actor="system:test") as opened:
        yield opened


def add_endpoint(tenant, url, **fields):
    with scoped(tenant):
        return WebhookEndpointFactory(url=url, **fields)


def emit(tenant, count=1):
    with scoped(tenant):
        for _ in range(count):
            publish(RunCompletedEvent(run_id=uuid4(), workflow_id=uuid4(), status="completed"))
    return relay_events(tenant.pk)


def delivered(tenant):
    with scoped(tenant):
        return list(WebhookDelivery.objects.order_by("id"))


def make_due(tenant):
    with scoped(tenant):
        WebhookDelivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def test_event_is_sent_with_a_signature(tenant, receiver):
    endpoint = add_endpoint(tenant, receiver.url())
    emit(tenant)
    sent = deliver_pending(tenant.pk, endpoint.pk)
    _, headers, body = receiver.requests[0]
    with scoped(tenant):
        event = OutboxEvent.objects.get()
        payload = Webhook(endpoint.secret).verify(body, headers)
    (delivery,) = delivered(tenant)

    assert (sent, len(receiver.requests)) == (1, 1)
    assert headers["webhook-id"] == str(event.pk)
    assert (payload["type"], payload["data"]) == ("run.completed", event.data)
    assert (delivery.status, delivery.response_status, delivery.attempt_count) == ("succeeded", 200, 1)
    assert delivery.attempts[0]["response"] == "ok"


def test_endpoint_receives_the_types_it_subscribed_to(tenant, other_tenant, receiver):
    wanted = add_endpoint(tenant, receiver.url(), event_types=["run.completed"])
    add_endpoint(tenant, receiver.url(), event_types=["budget.exceeded"])
    add_endpoint(tenant, receiver.url(), is_enabled=False)
    add_endpoint(other_tenant, receiver.url())
    relayed = emit(tenant, 2), relay_events(tenant.pk)

    assert relayed == (2, 0)
    assert [row.endpoint_id for row in delivered(tenant)] == [wanted.pk] * 2
    assert delivered(other_tenant) == []


def test_both_secrets_sign_after_a_rotation(tenant, receiver):
    endpoint = add_endpoint(tenant, receiver.url())
    old = endpoint.secret
    with scoped(tenant):
        new = rotate_secret(WebhookEndpoint.objects.get(pk=endpoint.pk))
    emit(tenant)
    deliver_pending(tenant.pk, endpoint.pk)
    _, headers, body = receiver.requests[0]
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    with scoped(tenant):
        WebhookEndpoint.objects.update(rotation_ends_at=timezone.now())
    emit(tenant)
    deliver_pending(tenant.pk, endpoint.pk)
    _, headers, body = receiver.requests[1]

    Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


def test_endpoint_that_is_down_for_a_day_ends_as_a_dead_letter_and_is_replayed(tenant, receiver):
    endpoint = add_endpoint(tenant, receiver.url("/down"))
    receiver.answers["/down"] = (503, {}, b"")
    emit(tenant)
    states = []
    for _ in range(MAX_ATTEMPTS + 1):
        deliver_pending(tenant.pk, endpoint.pk)
        states.append(delivered(tenant)[0].status)
        make_due(tenant)
    ids = {headers["webhook-id"] for _, headers, _ in receiver.requests}
    receiver.answers.clear()
    with scoped(tenant):
        replayed = replay_deliveries(WebhookDelivery.objects.all())
    deliver_pending(tenant.pk, endpoint.pk)
    (row,) = delivered(tenant)

    assert states == ["pending"] * (MAX_ATTEMPTS - 1) + ["dead"] * 2
    assert 0.98 < sum(RETRY_DELAYS) / timedelta(days=1).total_seconds() <= 1
    assert (len(receiver.requests), len(ids), replayed) == (MAX_ATTEMPTS + 1, 1, 1)
    assert (row.status, row.attempt_count) == ("succeeded", MAX_ATTEMPTS + 1)


def test_retry_waits_longer_each_time(tenant, receiver):
    endpoint = add_endpoint(tenant, receiver.url("/down"))
    receiver.answers["/down"] = (500, {}, b"")
    emit(tenant)
    waits = []
    for _ in range(3):
        make_due(tenant)
        deliver_pending(tenant.pk, endpoint.pk)
        waits.append((delivered(tenant)[0].next_attempt_at - timezone.now()).total_seconds())

    assert [delay * 0.9 < wait < delay * 1.2 for wait, delay in zip(waits, RETRY_DELAYS, strict=False)] == [
        True
    ] * 3


@pytest.mark.security("private address")
@pytest.mark.parametrize("path", ["/private", "/loopback"])
def test_redirect_is_not_followed(tenant, receiver, attacks, path):
    target = "http://169.254.169.254/latest/" if path == "/private" else receiver.url("/secret")
    receiver.answers[path] = (307, {"Location": target}, b"")
    endpoint = add_endpoint(tenant, receiver.url(path))
    emit(tenant)
    deliver_pending(tenant.pk, endpoint.pk)
    (row,) = delivered(tenant)

    attacks.attempt(succeeded=len(receiver.requests) != 1)
    assert (row.status, row.response_status) == ("pending", 307)
    assert row.error == "The endpoint redirects (HTTP 307). Enter its final URL."


@pytest.mark.security("private address")
def test_private_address_is_not_reached(tenant, receiver, attacks, settings):
    settings.FETCH_NETWORKS = []
    endpoint = add_endpoint(tenant, receiver.url())
    emit(tenant)
    deliver_pending(tenant.pk, endpoint.pk)

    attacks.attempt(succeeded=bool(receiver.requests))
    assert [row.error for row in delivered(tenant)] == ["The endpoint cannot be reached."]


def test_response_of_ten_gigabytes_is_cut(tenant, receiver):
    receiver.answers["/big"] = (200, {"Content-Length": str(10 * 1024**3)}, b"x" * 100_000)
    endpoint = add_endpoint(tenant, receiver.url("/big"))
    emit(tenant)
    deliver_pending(tenant.pk, endpoint.pk)
    (row,) = delivered(tenant)

    assert (row.status, len(row.attempts[0]["response"])) == ("succeeded", deliveries.MAX_RESPONSE_BYTES)


def test_silent_endpoint_is_given_up(tenant, receiver, monkeypatch):
    monkeypatch.setattr(deliveries, "ATTEMPT_SECONDS", 0.2)
    monkeypatch.setattr(Handler, "do_POST", lambda self: threading.Event().wait(0.5))
    endpoint = add_endpoint(tenant, receiver.url())
    emit(tenant)
    deliver_pending(tenant.pk, endpoint.pk)

    assert [row.error for row in delivered(tenant)] == ["The endpoint did not respond in time."]


def test_worker_that_dies_after_sending_sends_the_same_event_again(tenant, receiver, monkeypatch):
    endpoint = add_endpoint(tenant, receiver.url())
    emit(tenant)
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "record_results", lambda results: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deliver_pending(tenant.pk, endpoint.pk)
    early = deliver_pending(tenant.pk, endpoint.pk)
    make_due(tenant)
    late = deliver_pending(tenant.pk, endpoint.pk)
    ids = Counter(headers["webhook-id"] for _, headers, _ in receiver.requests)
    (row,) = delivered(tenant)

    assert (early, late, list(ids.values())) == (0, 1, [2])
    assert (row.status, row.attempt_count) == ("succeeded", 2)


def test_claimed_attempt_is_not_claimed_again(tenant):
    endpoint = add_endpoint(tenant, "https://receiver.example/")
    emit(tenant, 3)
    with scoped(tenant):
        first = claim_deliveries(endpoint.pk, limit=2)[2]
        second = claim_deliveries(endpoint.pk, limit=2)[2]

    assert (len(first), len(second)) == (2, 1)
    assert {each.id for each in first}.isdisjoint(each.id for each in second)
    assert deliveries.CLAIM_SECONDS > (
        deliveries.BATCH_SIZE / deliveries.CONCURRENCY * deliveries.ATTEMPT_SECONDS
    )


def test_late_result_changes_nothing(tenant):
    endpoint = add_endpoint(tenant, "https://receiver.example/")
    emit(tenant)
    with scoped(tenant):
        (late,) = claim_deliveries(endpoint.pk)[2]
        WebhookDelivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
        (current,) = claim_deliveries(endpoint.pk)[2]
        record_results([deliveries.AttemptResult(late, error="late")])
        before = WebhookDelivery.objects.get()
        record_results([deliveries.AttemptResult(current, 200)])
        after = WebhookDelivery.objects.get()

    assert (before.status, before.error, before.attempts) == ("pending", "", [])
    assert after.status == "succeeded"


def test_secret_is_returned_once(api_client):
    client = api_client()
    body = {"url": "https://receiver.example/", "event_types": ["run.completed"]}
    made = client.post(URL, body, content_type="application/json", headers={"Idempotency-Key": "a"})
    repeated = client.post(URL, body, content_type="application/json", headers={"Idempotency-Key": "a"})
    shown = client.get(f"{URL}{made.json()['id']}/")
    rotated = client.post(f"{URL}{made.json()['id']}/rotate/", content_type="application/json")

    assert (made.status_code, made.json()["secret"][:6]) == (201, "whsec_")
    assert (repeated.json()["id"], repeated.json()["secret"]) == (made.json()["id"], None)
    assert "secret" not in shown.json()
    assert rotated.json()["secret"] not in ("", None, made.json()["secret"])
    assert rotated.json()["rotation_ends_at"]


@pytest.mark.parametrize(
    "body",
    [
        {"url": "ftp://receiver.example/"},
        {"url": "https://receiver.example:2222/"},
        {"url": "https://user:pass@receiver.example/"},
        {"url": "https://receiver.example/", "event_types": ["nothing"]},
    ],
)
def test_invalid_endpoint_is_refused(api_client, body):
    assert api_client().post(URL, body, content_type="application/json").status_code == 400


def test_dead_letters_are_replayed_by_the_api(tenant, api_client):
    endpoint = add_endpoint(tenant, "https://receiver.example/")
    emit(tenant, 2)
    with scoped(tenant):
        WebhookDelivery.objects.update(status="dead", attempts_left=0)
    client, (first, _) = api_client(), delivered(tenant)
    one = client.post(f"/api/v1/webhook-deliveries/{first.pk}/replay/", content_type="application/json")
    rest = client.post(f"{URL}{endpoint.pk}/replay/", content_type="application/json")

    assert (one.json()["status"], rest.json()) == ("pending", {"count": 1})
    assert [row.attempts_left for row in delivered(tenant)] == [MAX_ATTEMPTS] * 2


def test_only_administrators_manage_webhooks(api_client):
    client = api_client("analyst")

    assert client.get(URL).status_code == client.get("/api/v1/events/").status_code == 403


def test_openapi_document_describes_each_type():
    webhooks = add_webhooks({}, None)["webhooks"]
    schema = webhooks["run.completed"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    event = RunCompletedEvent(run_id=uuid4(), workflow_id=uuid4(), status="completed").model_dump(mode="json")
    body = {"type": "run.completed", "timestamp": "2026-11-29T00:00:00Z", "data": event}

    jsonschema.validate(body, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body | {"data": {}}, schema)
    assert set(webhooks) == set(EVENT_TYPES)


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("120", 120, 132),
        ("999999999999", 28_800, 31_680),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 5, 5.5),
        ("soon", 5, 5.5),
    ],
)
def test_receiver_delays_the_next_attempt(tenant, receiver, field, least, most):
    endpoint = add_endpoint(tenant, receiver.url())
    receiver.answers["/"] = (503, {"Retry-After": field}, b"")
    emit(tenant)
    began = timezone.now()
    deliver_pending(tenant.pk, endpoint.pk)
    (row,) = delivered(tenant)
    assert row.status == "pending"
    assert least - 1 <= (row.next_attempt_at - began).total_seconds() <= most + 5


def test_date_of_retry_after_is_a_delay():
    moment = format_datetime(timezone.now() + timedelta(minutes=10))
    assert 590 < deliveries.parse_retry_after(moment) <= 600


def test_receiver_that_is_gone_disables_its_endpoint(tenant, receiver):
    receiver.answers["/"] = (410, {}, b"")
    endpoint = add_endpoint(tenant, receiver.url())
    emit(tenant)
    deliver_pending(tenant.pk, endpoint.pk)
    (row,) = delivered(tenant)
    with scoped(tenant):
        assert not WebhookEndpoint.objects.get().is_enabled
    assert (row.status, row.response_status) == ("dead", 410)
    assert row.error == "The endpoint is gone (HTTP 410). It was disabled."
    assert (emit(tenant), len(delivered(tenant))) == (1, 1)


def test_endpoint_with_a_new_url_stays_enabled(tenant):
    endpoint = add_endpoint(tenant, "https://new.example/")
    with scoped(tenant):
        deliveries.disable_endpoint(endpoint.pk, url="https://old.example/")
        assert WebhookEndpoint.objects.get().is_enabled
