"""The web server's handling of HTTP: framing, limits and health."""

import json

import pytest

from config.testing.raw_http import RawConnection
from config.testing.web_server import run_web_server

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
THREADS = 4
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), run_web_server(WEB_THREADS=str(THREADS)) as running:
        yield running


@pytest.fixture
def connection(server):
    with RawConnection(server.port) as opened:
        yield opened


@pytest.fixture
def bearer(api_key):
    return f"Authorization: Bearer {api_key().secret}"


def test_connection_is_kept_alive(connection, bearer):
    for _ in range(3):
        response = connection.send("GET /api/v1/agents/ HTTP/1.1", bearer).read_response()
        assert (response.status, json.loads(response.read())["results"]) == (200, [])


def test_pipelined_requests_are_answered_in_order(connection, bearer):
    connection.send("GET /healthz HTTP/1.1")
    connection.send("GET /api/v1/agents/ HTTP/1.1", bearer)
    connection.send("GET /nothing HTTP/1.1")
    statuses = []
    reader = connection.socket.makefile("rb")
    for _ in range(3):
        statuses.append(int(reader.readline().split()[1]))
        length = 0
        while line := reader.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        reader.read(length)
    assert statuses == [200, 200, 404]


def test_chunked_body_is_accepted(connection, bearer):
    connection.send("POST /api/v1/projects/ HTTP/1.1", bearer, JSON, "Transfer-Encoding: chunked")
    body = json.dumps({"name": "Harbour"}).encode()
    for piece in (body[:5], body[5:], b""):
        connection.socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    response = connection.read_response()
    assert (response.status, json.loads(response.read())["name"]) == (201, "Harbour")


def test_continue_is_sent_when_the_body_is_wanted(connection, bearer):
    body = json.dumps({"name": "Quay"}).encode()
    connection.send(
        "POST /api/v1/projects/ HTTP/1.1",
        bearer,
        JSON,
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
    )
    assert connection.socket.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.socket.sendall(body)
    assert connection.read_response().status == 201


def test_head_has_no_body(connection):
    response = connection.send("HEAD /accounts/login/ HTTP/1.1").read_response("HEAD")
    assert (response.status, response.read()) == (200, b"")
    assert connection.send("GET /healthz HTTP/1.1").read_response().status == 200


def test_path_keeps_all_bytes(connection):
    response = connection.send("GET /v1/%C3%A9%20a%ff HTTP/1.1").read_response()
    assert (response.status, "/v1/é a%FF" in json.loads(response.read())["error"]["message"]) == (404, True)


def test_request_id_is_returned(connection):
    response = connection.send("GET /nothing HTTP/1.1", "X-Request-ID: tidal-00001").read_response()
    assert response.headers["X-Request-ID"] == "tidal-00001"


HOOK = "/hooks/01a22676-7bd0-7c53-befe-fcdbafd7f927"
REFUSALS = {
    "too long a query": (414, "uri_too_long", "GET /api/v1/agents/?q=" + "a" * 9000 + " HTTP/1.1"),
    "headers": (431, "headers_too_large", "GET /api/v1/agents/ HTTP/1.1", "X-Long: " + "a" * 40_000),
    "body": (413, "too_large", "POST /api/v1/agents/ HTTP/1.1", "Content-Length: 99999999"),
    "no length": (
        411,
        "length_required",
        "POST /webhooks/stripe HTTP/1.1",
        "Stripe-Signature: t=1,v1=0",
        "Transfer-Encoding: chunked",
    ),
    "no signature": (400, "missing_header", "POST /webhooks/stripe HTTP/1.1", "Content-Length: 10"),
    "no signature of a trigger": (400, "missing_header", f"POST {HOOK} HTTP/1.1", "Content-Length: 10"),
    "no length for a trigger": (
        411,
        "length_required",
        f"POST {HOOK} HTTP/1.1",
        "X-Hub-Signature-256: sha256=0",
        "Transfer-Encoding: chunked",
    ),
    "body for a trigger": (
        413,
        "too_large",
        f"POST {HOOK} HTTP/1.1",
        "Webhook-Signature: v1,0",
        "Content-Length: 1048577",
    ),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_request_is_refused_before_its_body_is_read(connection, kind):
    status, code, *lines = REFUSALS[kind]
    response = connection.send(*lines).read_response()
    assert (response.status, response.headers["Content-Type"]) == (status, "application/problem+json")
    problem = json.loads(response.read())
    assert (problem["code"], problem["status"]) == (code, status)
    assert problem["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/webhooks/unknown", "/unknown"])
def test_body_of_an_unknown_path_is_not_read(connection, path):
    assert connection.send(f"POST {path} HTTP/1.1", "Content-Length: 99999").read_response().status == 404


def test_refusal_uses_the_error_format_of_the_view(connection):
    connection.send("POST /v1/chat/completions HTTP/1.1", "Content-Length: 99999999")
    error = json.loads(connection.read_response().read())["error"]
    assert error["code"] == "too_large"


def test_large_upload_is_accepted(connection, bearer, api_key):
    connection.send("POST /api/v1/collections/ HTTP/1.1", bearer, JSON, "Content-Length: 28")
    connection.socket.sendall(b'{"name": "Log", "slug": "l"}')
    collection = json.loads(connection.read_response().read())["id"]
    file = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"tide " * 600_000
    )
    body = file + b"\r\n--x--\r\n"
    connection.send(
        f"POST /api/v1/collections/{collection}/documents/ HTTP/1.1",
        bearer,
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {len(body)}",
        body=body,
    )
    assert connection.read_response().status == 201
