"""Cost of API requests relative to the bare application, and of the audit trigger."""

from collections.abc import Callable

import orjson
import psycopg
from django.conf import settings

from config.postgres.logins import OWNER

from .installation import PLAIN, UNAUDITED, House, connection_to
from .meter import Compared, Side, backends_of, compare
from .servers import Server, bare, product, repeated

Ask = Callable[[int], tuple[str, str, dict[str, str], bytes | None]]


def _side(server: Server, watcher: psycopg.Connection, status: int, ask: Ask) -> Side:
    def pids() -> dict[str, list[int]]:
        return {"app": server.workers, "database": backends_of(watcher, server.name)}

    return Side(server.name, repeated(server, status, ask), pids)


def _headers(house: House) -> dict[str, str]:
    return {"Authorization": f"Bearer {house.api_key}", "Content-Type": "application/json"}


def _against_bare(house: House, status: int, ask: Ask, *, rounds: int, count: int) -> Compared:
    fields = connection_to(OWNER, PLAIN)
    with (
        psycopg.connect(**fields, autocommit=True) as watcher,
        product(house) as ours,
        bare(house, fields, settings.API_KEY_PEPPER) as theirs,
    ):
        sides = [_side(server, watcher, status, ask) for server in (ours, theirs)]
        return compare(*sides, rounds=rounds, count=count, warm=60)


def list_messages(house: House, *, rounds: int, count: int) -> Compared:
    """Compare a list of 50 messages."""
    return _against_bare(house, 200, ask_for_list(house), rounds=rounds, count=count)


def ask_for_list(house: House) -> Ask:
    """Return requests for lists of 50 messages."""
    ids, headers = house.conversation_ids, _headers(house)

    def ask(number: int) -> tuple[str, str, dict[str, str], None]:
        identifier = ids[number % len(ids)]
        return "GET", f"/api/v1/conversations/{identifier}/messages/?limit=50", headers, None

    return ask


def create_message(house: House, *, rounds: int, count: int) -> Compared:
    """Compare recording a message without an answer."""
    ids, headers = house.conversation_ids, _headers(house)
    body = orjson.dumps({"content": "What keeps the rows of two tenants apart? " * 5, "answer": False})

    def ask(number: int) -> tuple[str, str, dict[str, str], bytes]:
        identifier = ids[number % len(ids)]
        return "POST", f"/api/v1/conversations/{identifier}/messages/", headers, body

    return _against_bare(house, 201, ask, rounds=rounds, count=count)


def audited_write(house: House, *, rounds: int, count: int) -> Compared:
    """Compare PATCH of an agent on databases that differ only in the audit triggers."""
    headers, path = _headers(house), f"/api/v1/agents/{house.agent_id}/"

    def ask(number: int) -> tuple[str, str, dict[str, str], bytes]:
        return "PATCH", path, headers, orjson.dumps({"description": f"Description {number}."})

    fields = connection_to(OWNER, UNAUDITED)
    with (
        psycopg.connect(**fields, autocommit=True) as watcher,
        product(house, "audited") as audited,
        product(house, "unaudited", CONCLAVE_DB=UNAUDITED) as unaudited,
    ):
        sides = [_side(server, watcher, 200, ask) for server in (audited, unaudited)]
        return compare(*sides, rounds=rounds, count=count, warm=60)
