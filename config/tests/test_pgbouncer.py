"""Thousands of interleaved requests of many tenants through PgBouncer, which shares three connections.

Every row of every answer bears its tenant's name, so a row in the wrong hands is seen. The same load on a
build that sets the tenant for the session must show such rows, or the proof could not fail.
"""

import contextlib
import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from django.db import connection

from accounts.tests.factories import ApiKeyFactory
from agents.tests.factories import AgentFactory
from config.postgres.logins import WEB
from config.settings.base import database_for
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.pgbouncer import POOL_SIZE, run_pgbouncer
from config.testing.web_server import run_web_server
from tenants.tests.factories import TenantFactory

pytestmark = [pytest.mark.slow, pytest.mark.unmeasured, pytest.mark.django_db(transaction=True)]
TENANTS, AGENTS_EACH, THREADS, BACK_SECONDS = 20, 5, 24, 60
REQUESTS, REQUESTS_OF_POLICIES, REQUESTS_OF_CONTROL = 3_000, 1_500, 1_000
# granian exits if a worker dies twice within 5.5 seconds.
BETWEEN_DEATHS = 6
URL = "/api/v1/agents/"
WRONG = ("foreign", "missing")
DISTURBANCES = (0.2, 0.4, 0.6, 0.8)
PLACED_WRONG = """
SELECT (SELECT count(*) FROM agents_agent a JOIN tenants_tenant t ON t.id = a.tenant_id
        WHERE split_part(a.name, ' ', 1) <> t.slug)
     + (SELECT count(*) FROM audit_auditlog l JOIN accounts_apikey k ON l.actor = 'key:' || k.id
        WHERE l.tenant_id IS DISTINCT FROM k.tenant_id);
"""


@dataclass
class Customer:
    """A tenant with its API key and the ids of its first agents."""

    name: str
    key: str
    agents: list[str] = field(default_factory=list)


@pytest.fixture
def customers():
    made = []
    for number in range(TENANTS):
        tenant = TenantFactory(slug=f"house{number:02}")
        user = add_member(tenant).user
        with tenant_scope(tenant, user=user):
            customer = Customer(tenant.slug, ApiKeyFactory(user=user, rate_limit=1_000_000).secret)
            for _ in range(AGENTS_EACH):
                agent = AgentFactory(name=f"{tenant.slug} agent")
                customer.agents.append(str(agent.pk))
        made.append(customer)
    connection.close()
    return made


# --- one request and its verdict -----------------------------------------------------------------------


class HttpConnection:
    """A keep-alive connection to the web server."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def open(self):
        """Connect, with retries while a killed worker restarts."""
        end = time.monotonic() + BACK_SECONDS
        while self.http.sock is None:
            try:
                self.http.connect()
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def send(self, customer, method, path, body=None):
        """Return status and parsed body; (0, {}) if the connection broke."""
        headers = {"Authorization": f"Bearer {customer.key}", "Content-Type": "application/json"}
        try:
            self.open()
            self.http.request(method, path, json.dumps(body) if body else None, headers)
            answer = self.http.getresponse()
            return answer.status, json.loads(answer.read() or "{}")
        except (OSError, http.client.HTTPException):
            self.http.close()
            return 0, {}

    def abandon(self, customer, path):
        """Send a request and close the connection before the response."""
        with contextlib.suppress(OSError):
            self.open()
            self.http.request("GET", path, headers={"Authorization": f"Bearer {customer.key}"})
        self.http.close()


def owns_all_rows(customer, rows):
    """Return whether all rows belong to the customer."""
    return all(row["name"].split()[0] == customer.name for row in rows)


def listing(line, customer, others, dice):
    status, body = line.send(customer, "GET", f"{URL}?fields=id,name&limit=200&ordering=id")
    if status != 200:
        return verdict(status)
    if not owns_all_rows(customer, body["results"]):
        return "foreign"
    whole = [row["id"] for row in body["results"]][:AGENTS_EACH] == customer.agents
    return "right" if whole else "missing"


def own(line, customer, others, dice):
    status, body = line.send(customer, "GET", f"{URL}{dice.choice(customer.agents)}/")
    if status == 404:
        return "missing"
    return verdict(status) if status != 200 else "right" if owns_all_rows(customer, [body]) else "foreign"


def foreign(line, customer, others, dice):
    identifier = dice.choice(dice.choice(others).agents)
    status, _ = line.send(customer, "GET", f"{URL}{identifier}/")
    return {404: "right", 200: "right" if identifier in customer.agents else "foreign"}.get(
        status
    ) or verdict(status)


def create(line, customer, others, dice):
    body = {"name": f"{customer.name} made", "slug": f"made-{dice.getrandbits(60):x}"}
    status, row = line.send(customer, "POST", URL, body)
    return verdict(status) if status != 201 else "right" if owns_all_rows(customer, [row]) else "foreign"


def fail(line, customer, others, dice):
    """Create a duplicate slug: the second request fails and is rolled back."""
    status, _ = line.send(customer, "POST", URL, {"name": f"{customer.name} twin", "slug": "twin"})
    return "right" if status in (201, 400, 409) else verdict(status)


def hang_up(line, customer, others, dice):
    line.abandon(customer, URL)
    return "abandoned"


def verdict(status):
    return {0: "cut off", 503: "unavailable"}.get(status, f"unexpected {status}")


ACTS = {listing: 40, own: 20, foreign: 10, create: 18, fail: 7, hang_up: 5}


# --- the load ------------------------------------------------------------------------------------------


def drive(server, customers, requests, disturb=None):
    """Send requests from many threads, call `disturb()` at times, and count the results."""
    tickets, tally, lock = itertools.count(), Counter(), threading.Lock()
    done = [0]

    def work():
        line = HttpConnection(server.port)
        while (ticket := next(tickets)) < requests:
            dice = random.Random(ticket)
            act = dice.choices(list(ACTS), ACTS.values())[0]
            outcome = act(line, dice.choice(customers), customers, dice)
            with lock:
                tally[outcome] += 1
                done[0] += 1

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for share in DISTURBANCES if disturb else ():
        while done[0] < share * requests:
            time.sleep(0.05)
        disturb()
    for thread in threads:
        thread.join()
    return tally


def wrong(tally):
    return {name: tally[name] for name in WRONG if tally[name]}


def run(settings, customers, requests, log, disturb=None):
    """Run the load on one build behind a new pooler; `log` is the path of the server log."""
    with (
        log.open("wb") as stream,
        run_pgbouncer() as pooler,
        run_web_server(stream, DJANGO_SETTINGS_MODULE=settings, **pooler.variables) as server,
    ):
        return drive(server, customers, requests, (lambda: disturb(server)) if disturb else None)


@pytest.fixture
def disturb(superuser):
    """Kill a web worker and terminate pooled connections, alternately."""
    turn, last = itertools.count(), [0.0]
    ending = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename IN ('conclave_web', 'conclave_tenant')"
    )

    def make(server):
        if next(turn) % 2:
            time.sleep(max(0.0, last[0] + BETWEEN_DEATHS - time.monotonic()))
            server.kill_worker()
            last[0] = time.monotonic()
        else:
            assert 1 <= int(superuser(ending)) <= 2 * POOL_SIZE

    return make


@pytest.mark.parametrize(
    ("settings", "requests"),
    [
        ("config.settings.test", REQUESTS),
        ("config.tests.pooled.policies_alone", REQUESTS_OF_POLICIES),
    ],
    ids=["product", "policies alone"],
)
def test_no_row_comes_to_the_wrong_tenant(settings, requests, customers, tmp_path, disturb, superuser):
    tally = run(settings, customers, requests, tmp_path / "log", disturb)
    print(dict(tally))
    assert tally.total() == requests
    assert wrong(tally) == {}
    assert not any(name.startswith("unexpected") for name in tally), (
        tally,
        (tmp_path / "log").read_text()[-6000:],
    )
    assert tally["right"] > 0.85 * requests, tally
    assert superuser(PLACED_WRONG).strip() == "0"


def test_the_same_load_on_a_session_level_setting_leaks(customers, tmp_path):
    tally = run("config.tests.pooled.session_set", customers, REQUESTS_OF_CONTROL, tmp_path / "log")
    print(dict(tally))
    assert tally["foreign"] > 0, tally


def test_pooled_connections_keep_no_session_state(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://conclave_web:secret@pooler.example:6432/conclave")
    fields = database_for(WEB)
    assert fields["DISABLE_SERVER_SIDE_CURSORS"]
    assert fields["OPTIONS"]["prepare_threshold"] is None
