"""Questions asked of conversations."""

from typing import Any, Self

from django.db.models import Q

from config.tenancy.managers import ScopedManager, ScopedQuerySet


class ConversationQuerySet(ScopedQuerySet):
    """Conversations and who may see them."""

    def visible_to(self, user_id: Any) -> Self:
        """Those that the person began or takes part in (promise G3); nobody sees none."""
        if user_id is None:
            # Agents that take part have no person either.
            return self.none()
        taking_part = self.model._meta.get_field("participants").related_model.objects.filter(user_id=user_id)
        return self.filter(Q(user_id=user_id) | Q(id__in=taking_part.values("conversation_id")))


class ConversationManager(ScopedManager.from_queryset(ConversationQuerySet)):  # type: ignore[misc]
    """The scope's conversations."""
