"""Querysets and managers of conversations."""

from typing import Any, Self

from django.db.models import Q

from config.tenancy.managers import ScopedManager, ScopedQuerySet
from conversations.choices import ParticipantRole


class ConversationQuerySet(ScopedQuerySet):
    """Queries on conversations and their visibility."""

    def visible_to(self, user_id: Any) -> Self:
        """Return the conversations that the user owns or participates in (promise G3)."""
        if user_id is None:
            # Agent participants have a null user ID, so None would match them.
            return self.none()
        participants = self.model._meta.get_field("participants").related_model.objects
        # The owner's own rows are left out, because there are as many as conversations.
        joined = participants.filter(user_id=user_id).exclude(role=ParticipantRole.OWNER)
        return self.filter(Q(user_id=user_id) | Q(id__in=joined.order_by().values("conversation_id")))


class ConversationManager(ScopedManager.from_queryset(ConversationQuerySet)):  # type: ignore[misc]
    """Manager for the conversations of the current scope."""
