"""Jobs and periodic tasks of workflows."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app

from config.jobs import job

# Tasks can finish days after they were created.
DAYS = 3


@app.periodic(cron="27 0 * * *")
@app.task(queueing_lock="compute_agent_performance")
@job
def compute_agent_performance(timestamp: int) -> None:
    """Compute agent performance for the latest complete days."""
    from workflows.services.performance import compute_performance

    yesterday = datetime.fromtimestamp(timestamp, UTC).date() - timedelta(days=1)
    compute_performance(yesterday - timedelta(days=DAYS - 1), yesterday)


@app.task(name="workflows.tasks.embed_rows", retry=RetryStrategy(max_attempts=5, exponential_wait=5))
@job
def embed_rows(tenant_id: str) -> None:
    """Embed a tenant's new and changed assets, events and tasks."""
    from workflows.services.similarity import embed_rows as embed

    embed(UUID(tenant_id))


@app.periodic(cron="37 3 * * *")
@app.task(queueing_lock="embed_waiting_rows")
@job
def embed_waiting_rows(timestamp: int) -> None:
    """Embed rows that were not created through the API or the console."""
    from workflows.services.similarity import embed_rows as embed
    from workflows.services.similarity import list_stale_tenants

    for tenant_id in list_stale_tenants():
        embed(tenant_id)


@app.periodic(cron="33 4 * * *")
@app.task(queueing_lock="expire_insights")
@job
def expire_insights(timestamp: int) -> None:
    """Delete expired and unhelpful insights."""
    from workflows.services.learning import expire_insights as expire

    expire()


@app.task(name="workflows.tasks.run_lane", queue="workflows", pass_context=True)
@job
def run_lane(context: JobContext, tenant_id: str, lane: int, again: bool) -> None:
    """Run the ready steps of a tenant in one of its lanes. `again`: it has used up a time slice."""
    from workflows.runtime.lanes import run_lane as run
    from workflows.services.lanes import has_waiting_lanes

    tenant = UUID(tenant_id)
    # A few steps run without a pause; many give way to the lanes of others.
    run(tenant, lane, context.job.id, do_others_wait=lambda: again and has_waiting_lanes(tenant))


@app.task(name="workflows.tasks.wake_step")
@job
def wake_step(tenant_id: str, step_execution_id: str) -> None:
    """End the wait of a step for an answer or a meeting that has ended."""
    from config.tenancy.scope import tenant_scope
    from workflows.services import waiting_steps

    with tenant_scope(tenant_id, actor="system:workflows"):
        waiting_steps.wake_step(UUID(tenant_id), UUID(step_execution_id))


@app.task(name="workflows.tasks.cancel_answer", retry=RetryStrategy(max_attempts=5, exponential_wait=5))
@job
def cancel_answer(tenant_id: str, conversation_id: str) -> None:
    """End the answer of a step whose run has ended."""
    from workflows.runtime.bodies.agents import cancel_parked_answer

    cancel_parked_answer(UUID(tenant_id), UUID(conversation_id))


@app.periodic(cron="41 4 * * *")
@app.task(queueing_lock="expire_firings")
@job
def expire_firings(timestamp: int) -> None:
    """Delete old firings of triggers."""
    from workflows.services.firings import expire_firings as expire

    expire()


@app.periodic(cron="51 4 * * *")
@app.task(queueing_lock="expire_workflow_runs")
@job
def expire_workflow_runs(timestamp: int) -> None:
    """Delete ended runs that their tenants no longer keep."""
    from workflows.services.retention import expire_runs

    expire_runs(datetime.fromtimestamp(timestamp, UTC))


@app.periodic(cron="* * * * * */10")
@app.task(queueing_lock="settle_approvals")
@job
def settle_approvals(timestamp: int) -> None:
    """Remind people of approvals, and escalate or expire those that are due."""
    from workflows.services.approval_deadlines import settle_due_approvals

    settle_due_approvals()


@app.task(
    name="workflows.tasks.send_approval_email",
    retry=RetryStrategy(max_attempts=6, exponential_wait=5, retry_exceptions={OSError}),
)
@job
def send_approval_email(tenant_id: str, approval_id: str, user_id: str, is_reminder: bool) -> None:
    """Send the link of an approval, retrying when the mail server cannot be reached."""
    from workflows.services.approval_links import send_approval_email as send

    send(UUID(tenant_id), UUID(approval_id), UUID(user_id), is_reminder=is_reminder)


@app.periodic(cron="3 5 * * *")
@app.task(queueing_lock="delete_stray_outputs")
@job
def delete_stray_outputs(timestamp: int) -> None:
    """Delete files of deleted runs and graphs, and of lost attempts."""
    from knowledge.services.maintenance import delete_stray_files
    from workflows.models import StepExecution
    from workflows.services.checkpoints import MODELS, get_folder
    from workflows.services.outputs import FOLDER

    delete_stray_files(folder=FOLDER, naming=StepExecution)
    for model in MODELS:
        delete_stray_files(folder=get_folder(model), naming=model)
