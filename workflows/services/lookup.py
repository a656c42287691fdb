"""Lookup of workflows by slug and of versions by number. Call these functions in the scope of the tenant."""

from workflows.models import Workflow, WorkflowVersion


def get_workflow(slug: str) -> Workflow:
    """Return the workflow with this slug.

    Raises:
        Workflow.DoesNotExist: the tenant has no such workflow, or it was deleted.
    """
    workflow = Workflow.objects.filter(slug=slug, deleted_at=None).first()
    if workflow is None:
        raise Workflow.DoesNotExist(f"The workflow {slug} does not exist.")
    return workflow


def get_version(workflow: Workflow, number: int | None) -> WorkflowVersion | None:
    """Return the version with this number, or None without a number.

    Raises:
        WorkflowVersion.DoesNotExist: the workflow has no such version.
    """
    if number is None:
        return None
    version = workflow.versions.filter(version=number).first()
    if version is None:
        raise WorkflowVersion.DoesNotExist(f"The workflow {workflow.slug} has no version {number}.")
    return version


def get_latest_version(workflow: Workflow) -> WorkflowVersion | None:
    """Return the version that new runs follow, or None if the workflow was never published."""
    return workflow.versions.order_by("-version").first()
