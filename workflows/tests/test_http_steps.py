"""Steps of kind http, against a server on 127.0.0.1."""

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from agents.tests.factories import IntegrationFactory
from config.http import requests
from config.tenancy.scope import tenant_scope
from tenants.models import Tenant
from workflows.choices import StepKind
from workflows.runtime.bodies import http
from workflows.runtime.step_bodies import StepCancelledError, StepError, get_body
from workflows.tests.step_contexts import ScriptedService, ServedReply, build_context, cancel_after

SECRET = "cms-secret-token"


@pytest.fixture
def service(settings):
    """Return a function that starts a server that the installation allows."""
    running = []
    settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.0/8"], []

    def start(*script):
        running.append(ScriptedService(*script).__enter__())
        settings.FETCH_PORTS = [*settings.FETCH_PORTS, running[-1].port]
        return running[-1]

    yield start
    for each in running:
        each.__exit__()


@pytest.fixture
def allow(member):
    """Return a function that lists the hosts of the organisation."""

    def set_hosts(*hosts):
        with tenant_scope(member.tenant_id, user=member.user_id):
            settings = {"workflows": {"http_hosts": list(hosts)}}
            Tenant.objects.filter(pk=member.tenant_id).update(settings=settings)

    return set_hosts


@pytest.fixture
def send(member, allow):
    """Return a function that runs the step."""
    allow("127.0.0.1")

    def run(url, **config):
        fields = {name: config.pop(name) for name in ("check_cancelled",) if name in config}
        context = build_context(member, StepKind.HTTP, {"url": url, **config}, **fields)
        return get_body(StepKind.HTTP)(context)

    return run


def redirect(location, status=307):
    return ServedReply(status, b"", {"Location": location})


@pytest.fixture
def add_account(member):
    """Return a function that stores an account at a server."""

    def add(server, **fields):
        fields = {"name": "cms", "platform": "http", "credentials": {"api_key": SECRET}, **fields}
        with tenant_scope(member.tenant_id, user=member.user_id):
            return IntegrationFactory(base_url=server.url + "/api", **fields)

    return add


def test_json_goes_out_and_comes_back(service, send):
    server = service(ServedReply(201, b'{"id": 7, "title": "a\\u0000b\\ud800"}'))
    result = send(server.url + "/posts", method="POST", body={"title": "Tides"}, headers={"X-Trace": "1"})
    (request,) = server.requests
    assert (request.method, json.loads(request.body)) == ("POST", {"title": "Tides"})
    assert (request.headers["content-type"], request.headers["x-trace"]) == ("application/json", "1")
    assert request.headers["idempotency-key"].endswith(":post:-1:0")
    assert (result.output["status"], result.output["body"]) == (201, {"id": 7, "title": "ab?"})
    assert result.output["headers"]["content-type"] == "application/json"


def test_text_is_sent_and_returned_as_text(service, send):
    server = service(
        ServedReply(200, "grün".encode("latin-1"), {"Content-Type": "text/plain; charset=latin-1"})
    )
    result = send(server.url, method="PUT", body="plain", idempotency="none")
    assert (server.requests[0].body, result.output["body"]) == (b"plain", "grün")
    assert "idempotency-key" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("status", "retryable"), [(400, False), (404, False), (408, True), (425, True), (429, True), (503, True)]
)
def test_status_decides_about_repetition(service, send, status, retryable):
    server = service(ServedReply(status))
    with pytest.raises(StepError) as caught:
        send(server.url, method="POST")
    assert (caught.value.code, caught.value.retryable) == (f"http_{status}", retryable)


def test_expected_status_is_no_failure(service, send):
    server = service(ServedReply(404))
    assert send(server.url, expect=[200, 404]).output["status"] == 404
    with pytest.raises(StepError, match="status 404"):
        send(server.url, expect=[200])


@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30), ("date", 60), ("soon", None), ("9999999", 86_400)]
)
def test_retry_after_is_passed_on(service, send, header, seconds):
    value = (
        format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
        if header == "date"
        else header
    )
    server = service(ServedReply(429, b"", {"Retry-After": value}))
    with pytest.raises(StepError) as caught:
        send(server.url)
    found = caught.value.retry_after
    assert found == seconds or abs(found - seconds) < 3


def test_request_without_key_is_not_repeated_after_an_unknown_outcome(service, send):
    server = service(ServedReply(delay=5))
    with pytest.raises(StepError) as caught:
        send(server.url, method="POST", idempotency="none", timeout=0.2)
    assert (caught.value.code, caught.value.retryable) == ("unknown_outcome", False)
    with pytest.raises(StepError) as caught:
        send(server.url, method="POST", timeout=0.2)
    assert (caught.value.code, caught.value.retryable) == ("timeout", True)


def test_cancellation_ends_a_request_under_way(service, send, monkeypatch):
    monkeypatch.setattr("workflows.runtime.outside_calls.CHECK_SECONDS", 0.05)
    server, started = service(ServedReply(delay=20)), time.monotonic()
    with pytest.raises(StepCancelledError):
        send(server.url, check_cancelled=cancel_after(2))
    assert time.monotonic() - started < 5
    with pytest.raises(StepCancelledError):
        send(server.url, check_cancelled=cancel_after(0))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "invalid_json"), (b"NaN", "invalid_json"), (b"[" * 5000 + b"]" * 5000, "invalid_json")],
)
def test_invalid_json_is_refused(service, send, body, code):
    server = service(ServedReply(200, body))
    with pytest.raises(StepError) as caught:
        send(server.url)
    assert (caught.value.code, caught.value.retryable) == (code, False)


def test_large_bodies_are_refused(service, send, settings):
    settings.FETCH_MAX_BYTES = 1000
    server = service(ServedReply(200, b"x" * 1001, {"Content-Type": "text/plain"}))
    with pytest.raises(StepError) as caught:
        send(server.url)
    assert caught.value.code == "response_too_large"
    with pytest.raises(StepError) as caught:
        send(server.url, method="POST", body="x" * (http.MAX_REQUEST_BYTES + 1))
    assert (caught.value.code, len(server.requests)) == ("request_too_large", 1)


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        ({"api_key": SECRET}, "authorization", f"Bearer {SECRET}"),
        ({"username": "ada", "password": "pw"}, "authorization", "Basic YWRhOnB3"),
        ({"headers": {"X-Api-Key": SECRET}}, "x-api-key", SECRET),
    ],
)
def test_integration_authenticates_at_its_origin(
    service, send, allow, add_account, credentials, header, value
):
    server = service()
    allow()
    add_account(server, credentials=credentials)
    send(server.url + "/other", integration="cms")
    assert server.requests[0].headers[header] == value
    with pytest.raises(StepError) as caught:
        send(server.url, integration="missing")
    assert (caught.value.code, caught.value.retryable) == ("integration_not_found", False)


def test_redirects_stay_within_allowed_hosts(service, send):
    server = service(redirect("/b", 302), ServedReply())
    send(server.url + "/a", method="POST", body={"a": 1})
    assert [(each.method, each.path, each.body) for each in server.requests] == [
        ("POST", "/a", b'{"a": 1}'),
        ("GET", "/b", b""),
    ]
    loop = service(redirect("/again"))
    with pytest.raises(StepError) as caught:
        send(loop.url)
    assert (caught.value.code, len(loop.requests)) == ("too_many_redirects", 6)


@pytest.mark.parametrize(
    ("host", "allowed", "expected"),
    [
        ("api.example.com", ["api.example.com"], True),
        ("API.example.com", ["api.Example.com"], True),
        ("a.b.example.com", ["*.example.com"], True),
        ("example.com", ["*.example.com"], False),
        ("evilexample.com", ["*.example.com", "example.com"], False),
        ("api.example.com.evil.test", ["api.example.com"], False),
        ("api.example.com", [], False),
    ],
)
def test_hosts_are_compared_whole(host, allowed, expected):
    assert requests.matches_host(host, allowed) is expected


def attempt_send(send, url, **config):
    """Return the code of the error, or an empty string."""
    try:
        send(url, **config)
    except StepError as error:
        return f"leak: {error.message}" if SECRET in error.message else error.code
    return ""


@pytest.mark.security("step request to an internal address")
def test_internal_addresses_are_not_reached(service, send, allow, settings, attacks):
    inside = service()
    outside = service(redirect(inside.url.replace("127.0.0.1", "127.0.0.2")))
    allow("*.0.0.1", "127.0.0.1", "127.0.0.2", "localhost", "169.254.169.254", "[::1]")
    settings.FETCH_NETWORKS = ["127.0.0.1/32"]
    attempt_send(send, outside.url)
    attacks.attempt("redirect", succeeded=bool(inside.requests))
    settings.FETCH_NETWORKS = []
    for host in ("127.0.0.1", "localhost", "127.0.0.2", "[::1]"):
        code = attempt_send(send, f"http://{host}:{inside.port}/")
        attacks.attempt(
            host, succeeded=bool(inside.requests) or code not in ("unreachable", "host_not_allowed")
        )


@pytest.mark.security("step request to an internal address", mutation=True)
def test_internal_addresses_are_reached_without_the_guard(service, send, monkeypatch, settings, attacks):
    inside = service()
    settings.FETCH_NETWORKS = []
    monkeypatch.setattr("config.http.ssrf.may_reach", lambda address, networks=(): True)
    attempt_send(send, inside.url)
    attacks.attempt(succeeded=bool(inside.requests))


HOST_ATTACKS = ["http://127.0.0.2:{port}/", "http://localhost:{port}/", "http://127.0.0.1.evil.test:{port}/"]


@pytest.mark.security("step request to a host that is not allowed")
def test_only_listed_hosts_are_requested(service, send, attacks):
    other = service()
    for url in HOST_ATTACKS:
        code = attempt_send(send, url.format(port=other.port))
        attacks.attempt(url, succeeded=bool(other.requests) or code != "host_not_allowed")
    server = service(redirect(f"http://localhost:{other.port}/"))
    code = attempt_send(send, server.url)
    attacks.attempt("redirect", succeeded=bool(other.requests) or code != "host_not_allowed")
    for url in (
        "file:///etc/passwd",
        "http://user:pw@127.0.0.1/",
        "gopher://127.0.0.1/",
        "http://127.0.0.1:22/",
    ):
        attacks.attempt(url, succeeded=attempt_send(send, url) != "invalid_url")


@pytest.mark.security("step request to a host that is not allowed", mutation=True)
def test_any_host_is_requested_without_the_list(service, send, monkeypatch, attacks):
    monkeypatch.setattr(requests, "matches_host", lambda host, allowed: True)
    other = service()
    server = service(redirect(f"http://localhost:{other.port}/"))
    attempt_send(send, server.url)
    attacks.attempt("redirect", succeeded=bool(other.requests))


HEADER_ATTACKS = [
    {"X-A": "1\r\nX-Admin: 1"},
    {"X-A": "1\nX-Admin: 1"},
    {"X-A\r\nX-Admin": "1"},
    {"X-Admin: 1\r\nX-B": "1"},
    {"X-A": "1\0"},
    {"Host": "internal.test"},
    {"Authorization": "Bearer stolen"},
    {"cookie": "session=1"},
    {"Transfer-Encoding": "chunked"},
]


@pytest.mark.security("header injection in a step request")
def test_headers_cannot_be_injected(service, send, attacks):
    server = service()
    for headers in HEADER_ATTACKS:
        code = attempt_send(send, server.url, headers=headers)
        attacks.attempt(str(headers), succeeded=bool(server.requests) or code != "invalid_header")


@pytest.mark.security("header injection in a step request", mutation=True)
def test_headers_are_set_without_the_check(service, send, monkeypatch, attacks):
    monkeypatch.setattr(http, "check_header", lambda name, value: "")
    server = service()
    attempt_send(send, server.url, headers={"Authorization": "Bearer stolen"})
    attacks.attempt(succeeded=server.requests[0].headers["authorization"] == "Bearer stolen")


def find_secret(server):
    return any(SECRET in value for each in server.requests for value in each.headers.values())


@pytest.mark.security("credential sent to another host")
def test_credentials_stay_at_their_origin(service, send, add_account, attacks):
    other = service()
    server = service(redirect(other.url, 307), redirect(f"//127.0.0.1:{other.port}/", 302))
    add_account(server)
    for _ in range(2):
        attempt_send(send, server.url, integration="cms")
    attempt_send(send, other.url, integration="cms")
    assert find_secret(server)
    assert len(other.requests) == 3
    attacks.attempt("redirect or another URL", succeeded=find_secret(other))


@pytest.mark.security("credential sent to another host", mutation=True)
def test_credentials_follow_a_redirect_without_the_check(service, send, add_account, monkeypatch, attacks):
    other = service()
    server = service(redirect(other.url))
    add_account(server)
    monkeypatch.setattr(requests, "get_origin", lambda url: "same")
    attempt_send(send, server.url, integration="cms")
    attacks.attempt(succeeded=find_secret(other))
