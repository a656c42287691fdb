"""Plans of published versions, compiled once per process."""

from functools import lru_cache
from uuid import UUID

from workflows.language.plan import Plan, compile_plan
from workflows.models import WorkflowVersion


@lru_cache(maxsize=256)
def get_plan(tenant_id: UUID, version_id: UUID) -> Plan:
    """Return the plan of a version, which never changes. Call it in the scope of the tenant.

    Raises:
        WorkflowVersion.DoesNotExist: the tenant has no such version.
    """
    versions = WorkflowVersion.objects.filter(tenant_id=tenant_id)
    return compile_plan(versions.values_list("snapshot", flat=True).get(pk=version_id))
