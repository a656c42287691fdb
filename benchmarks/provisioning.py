"""Time to create a tenant, and memory of a web process."""

import json
import time
from typing import Any

import orjson

from .installation import House, manage
from .meter import resident_mb
from .servers import Server, product

REQUESTS = 500


def tenant_ms(house: House, *, repeats: int) -> list[float]:
    """Return the wall milliseconds of each `create_tenant()`: tenant, administrator, roles, quotas and audit."""
    from accounts.services.members import get_or_create_user
    from tenants.services.tenants import create_tenant

    admin = get_or_create_user("new@bench.example", is_verified=True)
    times = []
    for number in range(repeats + 3):
        began = time.perf_counter()
        create_tenant(slug=f"new-{number}", name=f"New {number}", admin=admin, actor="system:bench")
        times.append((time.perf_counter() - began) * 1000)
    return times[3:]


def _session_of(email: str) -> str:
    """Create a session of the user, as signing in does."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from accounts.models import User

    user = User.objects.get(email=email)
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    key: str = store.session_key
    return key


def _expect(server: Server, statuses: set[int], *request: Any) -> bytes:
    status, body = server.ask(*request)
    if status not in statuses:
        raise RuntimeError(f"{request[0]} {request[1]}: {status} {body[:300]!r}")
    return body


def memory_mb(house: House) -> dict[str, float]:
    """Return the resident megabytes of a deployed web process after warm-up and 500 mixed requests."""
    manage("seed_demo", "-v0")
    demo = json.loads((house.var / "demo.json").read_text())
    key = {"Authorization": f"Bearer {demo['api_key']}", "Content-Type": "application/json"}
    mine = {"Authorization": f"Bearer {house.api_key}"}
    page = {
        "Cookie": f"sessionid={_session_of(demo['email'])}",
        "Accept": "text/html",
        "X-Tenant": demo["tenant"],
    }
    with product(house, "memory", WEB_THREADS="40", CONCLAVE_WARM_UP="1") as server:
        question = orjson.dumps({"agent": demo["agent"], "message": "How are tenants kept apart?"})
        _expect(server, {201}, "POST", "/api/v1/conversations/", key, question)
        first = resident_mb(server.workers[0])
        ids = house.conversation_ids
        for number in range(REQUESTS):
            if number % 25 == 0:
                _expect(server, {200, 302}, "GET", "/console/", page)
            elif number % 100 == 1:
                _expect(server, {201}, "POST", "/api/v1/conversations/", key, question)
            else:
                path = f"/api/v1/conversations/{ids[number % len(ids)]}/messages/?limit=50"
                _expect(server, {200}, "GET", path, mine)
        return {
            "after the first answer": first,
            "after 500 requests": resident_mb(server.workers[0]),
            "its parent": resident_mb(server.process.pid),
        }
