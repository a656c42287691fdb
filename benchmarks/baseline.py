"""Bare baseline application for the API: only WSGI, psycopg and orjson.

It looks up the key by its hash and reads or writes the same rows, on a copy of the database without
row-level security and audit. It is insecure and only shows the lower bound of the work.
"""

import hmac
import os
from collections.abc import Callable, Iterable
from threading import local
from typing import Any

import orjson
import psycopg
from psycopg.rows import dict_row

KEY = "SELECT tenant_id, user_id FROM accounts_apikey WHERE key_hash = %s AND status = 'active'"
LIST = (
    "SELECT id, conversation_id AS conversation, sequence_number, role, content, status, citations, error_code,"
    ' error_message, user_id AS "user", agent_id AS agent, reply_to_id, model, token_count, cost, latency_ms,'
    " tool_calls, metadata, created_at, updated_at FROM conversations_message"
    " WHERE tenant_id = %s AND conversation_id = %s ORDER BY id DESC LIMIT %s"
)
ADVANCE = (
    "UPDATE conversations_conversation SET message_count = message_count + 1, last_message_at = now(),"
    " updated_at = now() WHERE tenant_id = %s AND id = %s RETURNING message_count"
)
INSERT = (
    "INSERT INTO conversations_message (tenant_id, conversation_id, sequence_number, role, content, status,"
    " error_code, error_message, citations, user_id, model, token_count, cost, tool_calls, tool_results, tool_used,"
    " conversation_domain, embedding_model_used, feedback, metadata, updated_at)"
    " VALUES (%s, %s, %s, 'user', %s, 'completed', '', '', '[]', %s, '', 0, 0, '[]', '[]', '', '', '', '', '{}', now())"
    " RETURNING id, conversation_id AS conversation, sequence_number, role, content, status, citations, error_code,"
    ' error_message, user_id AS "user", agent_id AS agent, reply_to_id, model, token_count, cost, latency_ms,'
    " tool_calls, metadata, created_at, updated_at"
)
PEPPER = os.environ.get("BENCH_PEPPER", "").encode()
_kept = local()


def _connection() -> psycopg.Connection[Any]:
    if not hasattr(_kept, "connection"):
        fields = orjson.loads(os.environ["BENCH_CONNECTION"])
        _kept.connection = psycopg.connect(**fields, autocommit=True, row_factory=dict_row)
    connection: psycopg.Connection[Any] = _kept.connection
    return connection


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Return the newest messages of the conversation (GET) or add a message (POST)."""
    secret = environ["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    connection = _connection()
    held = connection.execute(KEY, [hmac.digest(PEPPER, secret.encode(), "sha256")]).fetchone()
    if held is None:
        start_response("401 Unauthorized", [])
        return [b""]
    conversation = environ["PATH_INFO"].split("/")[4]
    if environ["REQUEST_METHOD"] == "GET":
        body, status = _list(connection, held, conversation, environ), "200 OK"
    else:
        body, status = _create(connection, held, conversation, environ), "201 Created"
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _list(connection: Any, held: Any, conversation: str, environ: dict[str, Any]) -> bytes:
    limit = int(environ["QUERY_STRING"].removeprefix("limit="))
    rows = connection.execute(LIST, [held["tenant_id"], conversation, limit]).fetchall()
    return orjson.dumps({"results": rows}, default=str)


def _create(connection: Any, held: Any, conversation: str, environ: dict[str, Any]) -> bytes:
    given = orjson.loads(environ["wsgi.input"].read())
    with connection.transaction():
        number = connection.execute(ADVANCE, [held["tenant_id"], conversation]).fetchone()["message_count"]
        values = [held["tenant_id"], conversation, number, given["content"], held["user_id"]]
        row = connection.execute(INSERT, values).fetchone()
    return orjson.dumps(row, default=str)
