"""Triggers of conversations."""

from tenants.triggers import create_embedding_meter, create_meter, drop_meter

# Runs outlive the rows they refer to, but not the texts of an erased answer or a deleted conversation. Tenants cannot
# change runs, so the function runs as the owner of the table.
ERASURE = """
CREATE FUNCTION conversations_erase_runs() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'conversations_conversation' THEN
    UPDATE public.agents_agentrun SET prompt = '', response = ''
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.id AND id >= OLD.id AND (prompt, response) <> ('', '');
  ELSE
    UPDATE public.agents_agentrun SET prompt = '', response = ''
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.conversation_id
      -- A run belongs to the answer; the erased question is its prompt.
      AND (message_id = OLD.id OR message_id IN (SELECT m.id FROM public.conversations_message m
        WHERE m.tenant_id = OLD.tenant_id AND m.conversation_id = OLD.conversation_id AND m.reply_to_id = OLD.id))
      AND id >= OLD.id AND (prompt, response) <> ('', '');
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION conversations_erase_runs() FROM PUBLIC;
CREATE TRIGGER conversations_conversation_erase_runs AFTER DELETE ON conversations_conversation
  FOR EACH ROW EXECUTE FUNCTION conversations_erase_runs();
CREATE TRIGGER conversations_message_erase_runs AFTER UPDATE OF content ON conversations_message
  FOR EACH ROW WHEN (OLD.content <> '' AND NEW.content = '') EXECUTE FUNCTION conversations_erase_runs();
"""
ERASURE_DROP = """
DROP TRIGGER conversations_message_erase_runs ON conversations_message;
DROP TRIGGER conversations_conversation_erase_runs ON conversations_conversation;
DROP FUNCTION conversations_erase_runs();
"""

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
ERASE_PAYLOADS = """
CREATE FUNCTION conversations_erase_payloads() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'conversations_conversation' THEN
    UPDATE public.agents_llmusage SET request_payload = NULL, response_payload = NULL
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.id AND id >= OLD.id AND request_payload IS NOT NULL;
  ELSE
    -- Requests of later answers contain the erased text too.
    UPDATE public.agents_llmusage SET request_payload = NULL, response_payload = NULL
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.conversation_id AND id >= OLD.id
      AND request_payload IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION conversations_erase_payloads() FROM PUBLIC;
CREATE TRIGGER conversations_conversation_erase_payloads AFTER DELETE ON conversations_conversation
  FOR EACH ROW EXECUTE FUNCTION conversations_erase_payloads();
CREATE TRIGGER conversations_message_erase_payloads AFTER UPDATE OF content ON conversations_message
  FOR EACH ROW WHEN (OLD.content <> '' AND NEW.content = '') EXECUTE FUNCTION conversations_erase_payloads();
"""
ERASE_PAYLOADS_DROP = """
DROP TRIGGER conversations_message_erase_payloads ON conversations_message;
DROP TRIGGER conversations_conversation_erase_payloads ON conversations_conversation;
DROP FUNCTION conversations_erase_payloads();
"""

# Suggested questions are erased with the question or answer that they come from. Accepted ones name no conversation.
ERASE_SUGGESTIONS = """
CREATE FUNCTION conversations_erase_suggestions() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'conversations_conversation' THEN
    DELETE FROM public.knowledge_judgedquestion WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.id;
  ELSE
    DELETE FROM public.knowledge_judgedquestion
    WHERE tenant_id = OLD.tenant_id AND conversation_id = OLD.conversation_id
      AND (source_id = OLD.id OR source_id IN (SELECT m.id FROM public.conversations_message m
        WHERE m.tenant_id = OLD.tenant_id AND m.conversation_id = OLD.conversation_id AND m.reply_to_id = OLD.id));
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION conversations_erase_suggestions() FROM PUBLIC;
CREATE TRIGGER conversations_conversation_erase_suggestions AFTER DELETE ON conversations_conversation
  FOR EACH ROW EXECUTE FUNCTION conversations_erase_suggestions();
CREATE TRIGGER conversations_message_erase_suggestions AFTER UPDATE OF content ON conversations_message
  FOR EACH ROW WHEN (OLD.content <> '' AND NEW.content = '') EXECUTE FUNCTION conversations_erase_suggestions();
"""
ERASE_SUGGESTIONS_DROP = """
DROP TRIGGER conversations_message_erase_suggestions ON conversations_message;
DROP TRIGGER conversations_conversation_erase_suggestions ON conversations_conversation;
DROP FUNCTION conversations_erase_suggestions();
"""
