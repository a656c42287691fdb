"""Examples of `docs/schema/query-patterns.md` return only rows of their tenant."""

import ast
import contextlib
import re
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.models import Count, Sum
from django.utils import timezone

from accounts.models import Membership
from agents.models import Agent, LlmUsage
from agents.tests.factories import AgentFactory, LlmUsageFactory
from config.schema.sources import FOLDER
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.fixtures import add_member
from conversations.models import Conversation, Message
from conversations.tests.factories import ConversationFactory, MessageFactory
from knowledge.tests.factories import ChunkFactory, ChunkVector384Factory
from workflows.tests.factories import AssetDependencyFactory

FENCE = re.compile(r"(?ms)^```(sql|python)( \w+)?\n(.*?)^```")
HEADING = re.compile(r"(?m)^## (.+)$")
MODELS = {
    "Agent": Agent,
    "Conversation": Conversation,
    "Count": Count,
    "LlmUsage": LlmUsage,
    "Membership": Membership,
    "Message": Message,
    "Sum": Sum,
    "platform_scope": platform_scope,
}


def examples():
    """Yield (heading, language, kind, text) of each code block."""
    text = (FOLDER / "query-patterns.md").read_text()
    for match in FENCE.finditer(text):
        heading = HEADING.findall(text[: match.start()])[-1]
        yield heading, match[1], (match[2] or "").strip(), match[3]


def chosen(language, kind=""):
    found = [each for each in examples() if each[1:3] == (language, kind)]
    return pytest.mark.parametrize("text", [each[3] for each in found], ids=[each[0] for each in found])


def rows_of(tenant):
    """Create a tenant with rows for all examples."""
    user = add_member(tenant).user
    with tenant_scope(tenant, user=user):
        agent = AgentFactory(tags=["support"])
        conversation = ConversationFactory(agent=agent, user=user)
        messages = [MessageFactory(conversation=conversation, sequence_number=n + 1) for n in range(3)]
        chunk = ChunkFactory()
        ChunkVector384Factory(chunk=chunk)
        dependency = AssetDependencyFactory()
        AssetDependencyFactory(target=dependency.source)
        LlmUsageFactory()
    return SimpleNamespace(
        tenant=tenant,
        user=user,
        agent=agent,
        conversation=conversation,
        message=messages[0],
        last=messages[2],
        collection=chunk.collection,
        asset=dependency.target,
        start=timezone.now() - timedelta(hours=1),
        end=timezone.now() + timedelta(hours=1),
        vector="[1" + ",0" * 383 + "]",
    )


@pytest.fixture
def ours(tenant):
    return rows_of(tenant)


@pytest.fixture
def theirs(other_tenant):
    return rows_of(other_tenant)


def values(names):
    return {name: getattr(value, "pk", value) for name, value in vars(names).items()}


def run_sql(text, names):
    with connection.cursor() as cursor:
        cursor.execute(text, values(names))
        return cursor.fetchall()


def run_python(text, names):
    """Return the value of the example's last expression."""
    tree = ast.parse(text)
    last = ast.Expression(tree.body.pop().value)
    space = MODELS | vars(names)
    exec(compile(tree, "example", "exec"), space)
    found = eval(compile(last, "example", "eval"), space)
    return [found] if hasattr(found, "pk") else list(found or [])


@chosen("sql")
def test_sql_finds_only_rows_of_its_tenant(ours, theirs, text):
    with tenant_scope(ours.tenant, user=ours.user):
        assert run_sql(text, ours) != []
    with tenant_scope(theirs.tenant, user=theirs.user):
        assert run_sql(text, ours) == []


@chosen("python")
def test_python_finds_only_rows_of_its_tenant(ours, theirs, text):
    with tenant_scope(ours.tenant, user=ours.user):
        found = run_python(text, ours)
    assert found != []
    assert {tenant_of(row, ours) for row in found} == {ours.tenant.id}


def tenant_of(row, ours):
    """Grouped rows have no tenant column; each tenant has one call of fifteen tokens."""
    if isinstance(row, dict):
        return ours.tenant.id if row["calls"] == 1 else None
    return row.tenant_id


@chosen("python")
def test_python_accesses_no_other_tenants_rows(ours, theirs, text):
    found = []
    with tenant_scope(theirs.tenant, user=theirs.user), contextlib.suppress(DatabaseError):
        found = run_python(text, ours)
    with tenant_scope(ours.tenant, user=ours.user):
        assert Message.objects.count() == 3
    assert [row for row in found if getattr(row, "tenant_id", None) == ours.tenant.id] == []


@chosen("sql", "session")
def test_the_session_in_psql(second_connection, transactional_db, tenant, other_tenant, text):
    names, _ = rows_of(tenant), rows_of(other_tenant)
    proof = StringIO()
    call_command("scope_proof", "--tenant", tenant.slug, stdout=proof)
    session = second_connection()
    shown = []
    for statement in filter(
        str.strip, text.replace("%(scope_proof)s", proof.getvalue().strip()).split(";\n")
    ):
        cursor = session.execute(statement)
        shown.append(cursor.fetchall() if cursor.description else None)
    assert shown[2] == [(names.agent.slug, "active")]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT slug FROM agents_agent")


@chosen("python", "platform")
def test_across_tenants(ours, theirs, text):
    space = MODELS | vars(ours)
    exec(compile(text, "example", "exec"), space)

    counted = {row["tenant__slug"]: row["tokens"] for row in space["found"]}
    assert counted == {ours.tenant.slug: 15, theirs.tenant.slug: 15}


@chosen("sql", "explain")
def test_the_plan_skips_partitions(ours, text):
    with tenant_scope(ours.tenant, user=ours.user):
        plan = "\n".join(row[0] for row in run_sql(text, ours))
    read = set(re.findall(r"conversations_message_p\d{8}", plan))

    assert f"{timezone.now():conversations_message_p%Y%m01}" in read
    assert min(read) == f"{timezone.now():conversations_message_p%Y%m01}"


def test_every_block_is_run_by_one_of_these_tests():
    kinds = {(language, kind) for _, language, kind, _ in examples()}

    assert kinds == {
        ("sql", ""),
        ("python", ""),
        ("sql", "session"),
        ("python", "platform"),
        ("sql", "explain"),
    }
    assert len(list(examples())) == (FOLDER / "query-patterns.md").read_text().count("\n```\n")
