"""Plans of published versions, compiled once per process."""

import logging
from functools import lru_cache
from uuid import UUID

from django.core.exceptions import ValidationError

from workflows.language.plan import Plan, compile_plan
from workflows.models import WorkflowVersion

logger = logging.getLogger(__name__)


class PlanError(ValidationError):
    """The version of a run does not exist, or its definition cannot be compiled."""


@lru_cache(maxsize=256)
def get_plan(tenant_id: UUID, version_id: UUID | None) -> Plan:
    """Return the plan of a version, which never changes. Call it in the scope of the tenant.

    Raises:
        PlanError: the version is missing, or this release cannot compile it.
    """
    versions = WorkflowVersion.objects.filter(tenant_id=tenant_id, pk=version_id)
    snapshot = versions.values_list("snapshot", flat=True).first()
    if snapshot is None:
        raise PlanError({"version": "The version of the workflow does not exist."})
    try:
        return compile_plan(snapshot)
    except Exception as error:
        # Compiling depends on the definition only, so every attempt would fail.
        logger.exception("version %s cannot be compiled", version_id)
        raise PlanError({"version": "The definition is not valid. Publish the workflow again."}) from error
