"""Rate limits: headers, sharing across processes, anonymous requests."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from accounts.keys import generate_key

AGENTS = "/api/v1/agents/"
SEND = """
import os, sys
import django
from django.conf import settings
django.setup()
settings.DATABASES["default"]["NAME"] = sys.argv[1]
settings.ALLOWED_HOSTS = ["*"]
from django.test import Client
client = Client(headers={"authorization": f"Bearer {sys.argv[2]}"})
print(" ".join(str(client.get("/api/v1/agents/").status_code) for _ in range(int(sys.argv[3]))))
"""


def away_from_the_turn_of_the_minute():
    """Wait if the rate limit window is about to end."""
    if 60 - time.time() % 60 < 20:
        time.sleep(60 - time.time() % 60 + 0.1)


@pytest.mark.django_db
def test_rate_limit_headers_and_retry_after(api_client):
    client = api_client(rate_limit=2)
    answers = [client.get(AGENTS) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer["RateLimit-Limit"] for answer in answers] == ["2"] * 3
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert all(0 <= int(answer["RateLimit-Reset"]) <= 60 for answer in answers)
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    assert answers[2].json()["code"] == "throttled"


@pytest.mark.django_db
def test_refused_requests_count_too(api_client):
    client = api_client("viewer", rate_limit=2)

    assert [client.get("/api/v1/audit-logs/").status_code for _ in range(3)] == [403, 403, 429]


@pytest.mark.django_db
def test_each_key_has_a_separate_limit(api_client):
    one, two = api_client(rate_limit=1), api_client(rate_limit=1)

    assert [client.get(AGENTS).status_code for client in (one, two, one, two)] == [200, 200, 429, 429]


@pytest.mark.django_db
def test_session_has_the_default_limit(admin_client, settings):
    settings.API_DEFAULT_RATE = 1

    assert [admin_client.get(AGENTS).status_code for _ in range(2)] == [200, 429]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "secret", [None, "nonsense", generate_key().secret], ids=["none", "nonsense", "unknown"]
)
def test_requests_without_a_valid_credential_are_limited_by_address(secret, settings):
    settings.API_DEFAULT_RATE = 2
    client = Client(headers={"authorization": f"Bearer {secret}"} if secret else {})

    assert [client.get(AGENTS).status_code for _ in range(3)] == [401, 401, 429]


@pytest.mark.unmeasured
@pytest.mark.django_db(transaction=True)
def test_limit_holds_across_processes(api_key):
    away_from_the_turn_of_the_minute()
    key = api_key(rate_limit=10)
    arguments = [connection.settings_dict["NAME"], key.secret, "8"]
    command = [sys.executable, "-c", SEND, *arguments]
    root = Path(django_settings.BASE_DIR)
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}

    running = [
        subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = " ".join(process.communicate(timeout=120)[0] for process in running).split()

    assert sorted(answers) == ["200"] * 10 + ["429"] * 6
