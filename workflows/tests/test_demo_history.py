"""The demo history is valid, consistent, reproducible and atomic."""

import hashlib
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.db.models import Count, Max, Min, Sum

from agents.models import AgentRun, LlmUsage
from config.db.reports import report_models
from config.demo.generator import SINCE, UNTIL, DemoState
from config.demo.history import delete_history, get_history, get_tables, load_history, make_old_partitions
from config.tenancy.scope import tenant_scope
from config.testing.database import shared_rows
from config.testing.fixtures import add_member
from config.testing.roles import as_platform
from conversations.models import Conversation, Message
from conversations.tests.factories import MessageFactory
from tenants.models import CostRecord, Tenant
from tenants.services.metering import BATCH, _roll_up_batch
from tenants.tests.factories import TenantFactory
from workflows.models import AgentPerformanceDaily, Asset, AssetDependency, Workflow, WorkflowExecution
from workflows.services.publishing import publish

# A tenth of the command's minimum: a hundred conversations.
SCALE = 0.1


def world_of(tenant, user):
    return DemoState(tenant.pk, "demo", SCALE, 1, user.pk, (user.pk,))


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with shared_rows(django_db_blocker):
        make_old_partitions()
        member = add_member(TenantFactory())
        made = world_of(member.tenant, member.user)
        made.rows = load_history(made)
        yield made


@pytest.fixture
def history(db, world):
    with tenant_scope(world.tenant_id, user=world.admin_id):
        yield world


def rows_of(world):
    return {model._meta.label: model._base_manager.count() for model in get_tables()}


def test_there_are_as_many_messages_as_the_scale_says_and_rows_in_every_table(history):
    counted = rows_of(history)

    assert counted["conversations.Message"] == 10_000 * SCALE
    assert counted["workflows.Asset"] == 200
    assert [name for name, count in counted.items() if count == 0] == []
    assert history.rows == sum(counted.values())


def unset(row):
    """References that the system may leave empty but a form may not."""
    return [
        each.name for each in row._meta.concrete_fields if each.null and getattr(row, each.attname) is None
    ]


def test_rows_pass_the_models_own_rules(history):
    for model in get_tables():
        rows = model._base_manager.order_by("id")
        for row in [*rows[:2], *rows.reverse()[:2]]:
            row.full_clean(exclude=unset(row))


def test_rows_lie_within_the_history(history):
    for model in get_tables():
        found = model._base_manager.aggregate(first=Min("created_at"), last=Max("created_at"))
        assert SINCE <= found["first"] <= found["last"] < UNTIL


def test_conversations_add_up_to_their_messages(history):
    said = Conversation.objects.annotate(counted=Count("messages"), spent=Sum("messages__cost"))

    assert said.exclude(counted=models.F("message_count")).count() == 0
    assert said.exclude(spent=models.F("total_cost")).count() == 0


def test_costs_add_up_to_the_calls(history):
    calls = LlmUsage.objects.aggregate(all=Sum("total_cost"))["all"]

    assert calls > 0
    with as_platform():
        while _roll_up_batch(BATCH):
            pass
    assert CostRecord.objects.aggregate(all=Sum("amount"))["all"] == calls
    assert (
        AgentRun.objects.count()
        == LlmUsage.objects.count()
        == Message.objects.filter(role="assistant").count()
    )


def test_dependencies_form_no_circle(history):
    places = {
        pk: place for place, pk in enumerate(Asset.objects.order_by("source_id").values_list("pk", flat=True))
    }
    edges = AssetDependency.objects.values_list("source_id", "target_id")

    assert len(edges) > 199
    assert all(places[target] < places[source] for source, target in edges)


def test_workflows_count_their_runs(history):
    counted = Workflow.objects.aggregate(runs=Sum("run_count"), good=Sum("success_count"))
    good = WorkflowExecution.objects.filter(status="completed").count()

    assert counted == {"runs": WorkflowExecution.objects.count(), "good": good}


def test_workflows_can_be_published(history):
    for workflow in Workflow.objects.all():
        assert publish(workflow).version == 2


def test_each_message_is_in_the_audit_log(history):
    with as_platform(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(DISTINCT resource_id), min(actor), max(actor) FROM audit_auditlog"
            " WHERE tenant_id = %s AND resource_type = 'conversations.message'",
            [history.tenant_id],
        )
        assert cursor.fetchone() == (1_000, 1_000, "system:seed", "system:seed")


def fingerprint(world):
    """Return a digest of all rows, with placeholders for the ids of tenants and users."""
    digest = hashlib.sha256()
    with tenant_scope(world.tenant_id, user=world.admin_id), connection.cursor() as cursor:
        for model in get_tables():
            cursor.execute(f"SELECT to_jsonb(t)::text FROM {model._meta.db_table} t ORDER BY id")
            for (text,) in cursor:
                text = text.replace(str(world.tenant_id), "tenant").replace(str(world.admin_id), "admin")
                digest.update(text.encode())
    return digest.hexdigest()


def test_a_seed_gives_the_same_rows_in_another_tenant(db, world, other_tenant):
    first = fingerprint(world)
    delete_history(world.tenant_id)
    again = world_of(other_tenant, add_member(other_tenant).user)
    load_history(again)

    assert fingerprint(again) == first


def test_another_seed_gives_other_rows(db, world):
    first = fingerprint(world)
    delete_history(world.tenant_id)
    other = DemoState(world.tenant_id, "demo", SCALE, 2, world.admin_id, world.member_ids)
    load_history(other)

    assert fingerprint(other) != first


def test_what_is_taken_back_is_gone_and_nothing_else(db, world):
    with tenant_scope(world.tenant_id, user=world.admin_id):
        kept = MessageFactory()
    assert delete_history(world.tenant_id) == world.rows
    with tenant_scope(world.tenant_id, user=world.admin_id):
        assert {name: count for name, count in rows_of(world).items() if count} == {
            "agents.Agent": 1,
            "conversations.Conversation": 1,
            "conversations.Message": 1,
        }
        assert Message.objects.get() == kept
    assert get_history(world.tenant_id) == {}


def test_a_load_that_breaks_off_leaves_nothing(world, tenant, member):
    delete_history(world.tenant_id)  # ids depend on the seed only

    def break_off(count):
        if count == 1_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_history(world_of(tenant, member.user), break_off)
    with tenant_scope(tenant, user=member.user):
        assert sum(rows_of(None).values()) == 0
    assert get_history(tenant.pk) == {}


@pytest.fixture
def seed(db, settings, tmp_path):
    settings.VAR_DIR = settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()

    def run(*arguments):
        call_command("seed_demo", *arguments, verbosity=0, stdout=StringIO())
        return {slug: get_history(Tenant.objects.get(slug=slug).pk) for slug in ("demo", "globex")}

    return run


# Rows of seed 1 at one step.
REPORTED = {
    "UsageDaily": 464,
    "AgentActivityDaily": 464,
    "ConversationActivityDaily": 155,
    # Two of them are of the samples.
    "WorkflowRunsDaily": 49,
    "AgentPerformanceDaily": 353,
}


def count_report_rows(slug):
    """Return the row counts of reports and performance days."""
    with tenant_scope(Tenant.objects.get(slug=slug), actor="system:test"):
        return {model.__name__: model.objects.count() for model in (*report_models(), AgentPerformanceDaily)}


@pytest.mark.slow
def test_the_command_refuses_a_second_history_and_makes_a_fresh_one(seed, world):
    delete_history(world.tenant_id)
    first = seed("--scale", "1")
    assert count_report_rows("demo") == REPORTED
    with pytest.raises(CommandError, match=r"demo already has a history .*--fresh"):
        seed("--scale", "1")
    second = seed("--scale", "1", "--seed", "7", "--fresh")

    assert {facts["seed"] for facts in first.values()} == {1}
    assert {facts["seed"] for facts in second.values()} == {7}


def test_without_a_scale_there_is_no_history(seed):
    assert seed() == {"demo": {}, "globex": {}}


@pytest.mark.parametrize("scale", ["-1", "1001"])
def test_a_scale_out_of_bounds_is_refused(seed, scale):
    with pytest.raises(CommandError, match="between 0 and 1000"):
        seed("--scale", scale)
