"""Policies of conversations, and the base of the rows that belong to one."""

from typing import Any, ClassVar

from config.db.constraints import SYSTEM_CLAUSE, TENANT_CLAUSE, USER_CLAUSE
from config.tenancy.models import TenantModel

JOINED = "ANY ((SELECT conclave_joined_conversations())::uuid[])"
# The owner, the participants, and system work.
CONVERSATION_CLAUSE = f"{TENANT_CLAUSE} AND ({USER_CLAUSE} OR {SYSTEM_CLAUSE} OR id = {JOINED})"
# OFFSET 0 makes PostgreSQL look up the conversation of each row. It would otherwise consider reading all
# conversations of the user first.
VISIBLE = "EXISTS (SELECT FROM conversations_conversation WHERE id = conversation_id OFFSET 0)"
ROW_CLAUSE = f"{TENANT_CLAUSE} AND ({SYSTEM_CLAUSE} OR {VISIBLE})"


class ConversationRowModel(TenantModel):
    """Base of rows of a conversation, visible to its participants (promise G3)."""

    scope_kind: ClassVar[str] = "conversation"
    row_security: ClassVar[dict[str, Any]] = {"read": ROW_CLAUSE}

    class Meta(TenantModel.Meta):
        abstract = True
