"""SQL functions that the policies of conversations use."""

# Runs as the owner of the tables: a policy of conversations that reads participants, whose policy reads
# conversations, would recurse. The owner's own row is left out, so the result is short even for a user with many
# conversations; a partial index has exactly these rows.
JOINED = """
CREATE FUNCTION conclave_joined_conversations() RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN coalesce((SELECT array_agg(p.conversation_id) FROM public.conversations_participant p
    WHERE p.tenant_id = public.conclave_current_tenant() AND p.user_id = public.conclave_current_user()
      AND p.role <> 'owner'), '{}');
END $$;
REVOKE ALL ON FUNCTION conclave_joined_conversations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_joined_conversations() TO conclave_app, conclave_reader;
"""
JOINED_DROP = "DROP FUNCTION conclave_joined_conversations();"

# The owner of a conversation is its `user`; another participant with the role `owner` would lose access.
OWNERS = """
SELECT set_config('app.actor', 'system:migration', true);
UPDATE conversations_participant p SET role = 'member' FROM conversations_conversation c
WHERE c.tenant_id = p.tenant_id AND c.id = p.conversation_id AND p.role = 'owner'
  AND p.user_id IS DISTINCT FROM c.user_id;
"""
