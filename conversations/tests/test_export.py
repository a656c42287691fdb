"""Conversation exports: completeness, schema, escaping and access."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from jsonschema import Draft202012Validator

from audit.models import AuditLog
from config.tenancy.scope import tenant_scope
from conversations.models import Message
from conversations.services import export as exporting
from conversations.services.export import fenced, inline
from conversations.tests.factories import (
    AttachmentFactory,
    ConversationFactory,
    McpToolExecutionFactory,
    MessageFactory,
    ParticipantFactory,
    SessionSummaryFactory,
    ToolExecutionFactory,
)

SCHEMA = Path(settings.BASE_DIR) / "docs/reference/conversation-export.schema.json"
NASTY = "```\n# Not a heading\n<script>alert(1)</script>\n````\n[link](javascript:x)"
CITED = [{"number": 1, "source": "a_b*.md", "quote": "It is <b>noon</b>."}]


@pytest.fixture
def client(api_client):
    return api_client()


@pytest.fixture
def exported_conversation(client, tenant):
    """A conversation with every kind of related object."""
    user = client.key.user
    with tenant_scope(tenant, user=user):
        row = ConversationFactory(user=user, title="Tides *and* <ferries>", message_count=2, total_tokens=7)
        ParticipantFactory(conversation=row)
        ParticipantFactory(conversation=row, user=None, agent=row.agent, role="agent")
        asked = MessageFactory(conversation=row, sequence_number=1, content=NASTY)
        answer = MessageFactory(
            conversation=row,
            sequence_number=2,
            role="assistant",
            content="At noon. [1]",
            reply_to_id=asked.pk,
            citations=CITED,
            feedback="helpful",
            token_count=7,
            cost="0.000100",
            user=None,
            agent=row.agent,
        )
        AttachmentFactory(conversation=row, message=asked, filename="a`b.pdf")
        ToolExecutionFactory(message=answer, tool_output={"found": "```"})
        McpToolExecutionFactory(conversation=row, message=answer)
        ToolExecutionFactory(message=None, conversation=row, tool_name="loose")
        SessionSummaryFactory(conversation=row)
        ConversationFactory(user=user, forked_from=row, forked_at_id=asked.pk, title="Branch")
    return row


def export_conversation(client, row, **asked):
    return client.get(f"/api/v1/conversations/{row.pk}/export/", asked)


def text_of(response):
    return b"".join(response.streaming_content).decode()


def test_json_export_is_complete_and_valid(client, exported_conversation):
    response = export_conversation(client, exported_conversation)
    found = json.loads(text_of(response))
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert [row["content"] for row in found["messages"]] == [NASTY, "At noon. [1]"]
    asked, answer = found["messages"]
    assert (answer["citations"], answer["feedback"], answer["cost"]) == (CITED, "helpful", "0.000100")
    assert answer["reply_to_id"] == asked["id"]
    assert [row["filename"] for row in asked["attachments"]] == ["a`b.pdf"]
    assert [row["tool_name"] for row in answer["tool_executions"]] == ["search_knowledge", "read_file"]
    assert answer["tool_executions"][1]["output"] == {"text": "Partitions expire."}
    assert [row["tool_name"] for row in found["tool_executions"]] == ["loose"]
    assert sorted(row["role"] for row in found["participants"]) == ["agent", "member"]
    assert [row["title"] for row in found["branches"]] == ["Branch"]
    assert found["summary"]["summary"] == "Partitions are made three months ahead."
    assert found["conversation"]["total_tokens"] == 7


def test_the_schema_names_every_field():
    schema = json.loads(SCHEMA.read_text())["properties"]
    assert tuple(schema["conversation"]["properties"]) == exporting.CONVERSATION
    message = schema["messages"]["items"]["properties"]
    assert tuple(message) == (*exporting.MESSAGE, "attachments", "tool_executions")
    assert tuple(schema["summary"]["oneOf"][1]["properties"]) == exporting.SUMMARY


def outside_of_fences(text):
    """Return the lines outside code fences, by CommonMark 4.5."""
    fence, kept = "", []
    for line in text.splitlines():
        if fence:
            closing = re.fullmatch(r" {0,3}(`{3,})\s*", line)
            fence = "" if closing and len(closing[1]) >= len(fence) else fence
        elif opening := re.match(r"(`{3,})[^`]*$", line):
            fence = opening[1]
        else:
            kept.append(line)
    assert not fence
    return kept


def test_markdown_export_escapes_content(client, exported_conversation):
    response = export_conversation(client, exported_conversation, **{"as": "markdown"})
    text = text_of(response)
    outside = outside_of_fences(text)
    assert response["Content-Type"].startswith("text/markdown")
    assert NASTY in text
    assert [line for line in outside if line.startswith("#")] == [
        r"# Tides \*and\* \<ferries\>",
        "## Summary",
        f"## 1\\. {inline(exported_conversation.user)}",
        f"## 2\\. {inline(exported_conversation.agent.name)}",
    ]
    assert not any(re.search(r"(?<!\\)[<`*]", line) for line in outside)
    assert "search\\_knowledge" in "".join(outside)


@pytest.mark.parametrize("said", ["", "`" * 9, "a\r```\rb", "~~~\n````text\n", "\u2028```"])
def test_text_cannot_close_its_fence(said):
    assert outside_of_fences(fenced(said).replace("\u2028", " ")) == []


def test_long_export_is_paginated_without_loss(client, exported_conversation, tenant, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 2)
    with tenant_scope(tenant, actor="system:test"):
        for number in range(3, 8):
            MessageFactory(conversation=exported_conversation, sequence_number=number)
    found = json.loads(text_of(export_conversation(client, exported_conversation)))
    assert [row["sequence_number"] for row in found["messages"]] == [1, 2, 3, 4, 5, 6, 7]


def test_export_requires_access(client, api_client, exported_conversation, other_tenant, tenant):
    colleague, outsider = api_client(), api_client(tenant=other_tenant)
    assert [
        export_conversation(each, exported_conversation).status_code for each in (colleague, outsider)
    ] == [404, 404]
    with tenant_scope(tenant, actor="system:test"):
        ParticipantFactory(conversation=exported_conversation, user=colleague.key.user)
    # The branch belongs to its creator.
    assert json.loads(text_of(export_conversation(colleague, exported_conversation)))["branches"] == []
    assert export_conversation(client, exported_conversation, **{"as": "pdf"}).status_code == 400
    assert export_conversation(client, exported_conversation, format="json").status_code == 400


def test_export_command_is_audited(exported_conversation, tenant, tmp_path):
    target = tmp_path / "exported.md"
    options = {"tenant": tenant.slug, "conversation": exported_conversation.pk}
    call_command("export_conversation", target, written="markdown", verbosity=0, **options)
    assert "At noon. [1]" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError):
        call_command("export_conversation", target, **options)
    with tenant_scope(tenant, actor="system:test"):
        assert AuditLog.objects.filter(action="conversation.exported").exists()
        assert Message.objects.filter(conversation=exported_conversation).count() == 2
