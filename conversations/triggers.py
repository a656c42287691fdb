"""Triggers of conversations."""

from tenants.triggers import create_embedding_meter, create_meter, drop_meter


def _create_erasure(name: str, of_conversation: str, of_message: str) -> str:
    """Return triggers that run the statements when a conversation is deleted, and when a message is erased.

    The statements refer to the row as `OLD`. The function runs as the owner of the tables.
    """
    return f"""
CREATE FUNCTION conversations_{name}() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'conversations_conversation' THEN{of_conversation}  ELSE{of_message}  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION conversations_{name}() FROM PUBLIC;
CREATE TRIGGER conversations_conversation_{name} AFTER DELETE ON conversations_conversation
  FOR EACH ROW EXECUTE FUNCTION conversations_{name}();
CREATE TRIGGER conversations_message_{name} AFTER UPDATE OF content ON conversations_message
  FOR EACH ROW WHEN (OLD.content <> '' AND NEW.content = '') EXECUTE FUNCTION conversations_{name}();
"""


def _drop_erasure(name: str) -> str:
    return f"""
DROP TRIGGER conversations_message_{name} ON conversations_message;
DROP TRIGGER conversations_conversation_{name} ON conversations_conversation;
DROP FUNCTION conversations_{name}();
"""


# Runs outlive the rows they refer to, but not the texts of an erased answer or a deleted conversation. Tenants cannot
# change runs, so the function runs as the owner of the table.
ERASURE = _create_erasure(
    "erase_runs",
    """
    UPDATE public.agents_agentrun SET prompt = '', response = ''
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.id AND id >= OLD.id AND (prompt, response) <> ('', '');
""",
    """
    UPDATE public.agents_agentrun SET prompt = '', response = ''
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.conversation_id
      -- A run belongs to the answer; the erased question is its prompt.
      AND (message_id = OLD.id OR message_id IN (SELECT m.id FROM public.conversations_message m
        WHERE m.tenant_id = OLD.tenant_id AND m.conversation_id = OLD.conversation_id AND m.reply_to_id = OLD.id))
      AND id >= OLD.id AND (prompt, response) <> ('', '');
""",
)
ERASURE_DROP = _drop_erasure("erase_runs")

_TOOL_COLUMNS = "tenant_id, metric_type, quantity, events, occurred_at, user_id, agent_id, service"
_TOOL_CALLS = (
    "SELECT tenant_id, 'tool_executions', 1, 1, created_at, conclave_current_user(), agent_id, left(tool_name, 100)"
    " FROM new_rows"
)
# A call of an MCP tool has a row of `ToolExecution`, too.
METERS = create_meter("conversations_toolexecution", _TOOL_COLUMNS, _TOOL_CALLS) + create_embedding_meter(
    "conversations_messageembedding"
)
METERS_DROP = "".join(map(drop_meter, ("conversations_toolexecution", "conversations_messageembedding")))

# The payloads of model calls are erased with the text of their conversation, like the texts of runs.
ERASE_PAYLOADS = _create_erasure(
    "erase_payloads",
    """
    UPDATE public.agents_llmusage SET request_payload = NULL, response_payload = NULL
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.id AND id >= OLD.id AND request_payload IS NOT NULL;
""",
    """
    -- Requests of later answers contain the erased text too.
    UPDATE public.agents_llmusage SET request_payload = NULL, response_payload = NULL
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.conversation_id AND id >= OLD.id
      AND request_payload IS NOT NULL;
""",
)
ERASE_PAYLOADS_DROP = _drop_erasure("erase_payloads")

# Suggested questions are erased with the question or answer that they come from. Accepted ones name no conversation.
ERASE_SUGGESTIONS = _create_erasure(
    "erase_suggestions",
    """
    DELETE FROM public.knowledge_judgedquestion WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.id;
""",
    """
    DELETE FROM public.knowledge_judgedquestion
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.conversation_id
      AND (source_id = OLD.id OR source_id IN (SELECT m.id FROM public.conversations_message m
        WHERE m.tenant_id = OLD.tenant_id AND m.conversation_id = OLD.conversation_id AND m.reply_to_id = OLD.id));
""",
)
ERASE_SUGGESTIONS_DROP = _drop_erasure("erase_suggestions")
