"""Persistence of CrewAI flows in `MasterFlow`. Needs the package `crewai`.

The ID of a flow is that of a master flow: start it with `flow.kickoff(inputs={"id": str(master_flow.pk)})`.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

from crewai.flow.async_feedback.types import PendingFeedbackContext
from crewai.flow.persistence.base import FlowPersistence
from pydantic import BaseModel

from config.db.connections import release_connections
from config.tenancy.scope import tenant_scope
from conversations.runtime.journal import strip_unstorable_json
from workflows.models import MasterFlow
from workflows.services import flow_states

T = TypeVar("T")


class MasterFlowPersistence(FlowPersistence):
    """Stores the states of CrewAI flows in the master flows of a tenant.

    Attributes:
        user_id: user for whom the flows run.
        engagement_id: limits the flows to those of one engagement.
    """

    persistence_type: str = "MasterFlowPersistence"
    tenant_id: UUID
    user_id: UUID
    engagement_id: UUID | None = None

    def init_db(self) -> None:
        """Do nothing: migrations create the table."""

    def save_state(self, flow_uuid: str, method_name: str, state_data: dict[str, Any] | BaseModel) -> None:
        """Store the state after a method.

        Raises:
            LookupError: the tenant has no such master flow.
        """
        self._save(flow_uuid, method_name, state_data)

    def load_state(self, flow_uuid: str) -> dict[str, Any] | None:
        """Return the latest state, or None if the flow has none or does not exist."""
        return self._run(flow_uuid, flow_states.load_flow_state) if is_id(flow_uuid) else None

    def save_pending_feedback(
        self, flow_uuid: str, context: PendingFeedbackContext, state_data: dict[str, Any] | BaseModel
    ) -> None:
        """Store the state with the question that the flow waits for.

        Raises:
            LookupError: the tenant has no such master flow.
        """
        self._save(flow_uuid, context.method_name, state_data, pending=to_json(context.to_dict()))

    def load_pending_feedback(self, flow_uuid: str) -> tuple[dict[str, Any], PendingFeedbackContext] | None:
        """Return the state and the question that the flow waits for; None if it does not wait."""
        found = self._run(flow_uuid, flow_states.load_pending_feedback) if is_id(flow_uuid) else None
        return (found[0], PendingFeedbackContext.from_dict(found[1])) if found else None

    def clear_pending_feedback(self, flow_uuid: str) -> None:
        """Record that the question was answered."""
        if is_id(flow_uuid):
            self._run(flow_uuid, flow_states.clear_pending_feedback)

    def _save(self, flow_uuid: str, method: str, data: dict[str, Any] | BaseModel, **options: Any) -> None:
        values = to_json(data.model_dump(mode="json") if isinstance(data, BaseModel) else data)
        try:
            if not is_id(flow_uuid):
                raise MasterFlow.DoesNotExist
            self._run(flow_uuid, flow_states.save_flow_state, method, values, **options)
        except MasterFlow.DoesNotExist as error:
            text = (
                f'Master flow {flow_uuid} not found. Create it, then start with kickoff(inputs={{"id": …}}).'
            )
            raise LookupError(text) from error

    def _run(self, flow_uuid: str, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function in a short scope, outside the event loop in which CrewAI calls this class."""

        def call() -> T:
            try:
                with tenant_scope(self.tenant_id, user=self.user_id, engagement=self.engagement_id):
                    return function(UUID(flow_uuid), *arguments, **options)
            finally:
                release_connections()

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return call()
        # Django refuses queries in a thread with a running event loop.
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(call).result()


def to_json(value: Any) -> Any:
    """Return plain JSON that PostgreSQL can store.

    Integers have any size: contexts contain the 128-bit IDs of traces. NaN and infinity become null.
    """
    text = json.dumps(value, default=str)
    return strip_unstorable_json(json.loads(text, parse_constant=lambda _: None))


def is_id(text: str) -> bool:
    """Return whether a text is a UUID, as the IDs of master flows are."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
