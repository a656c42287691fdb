"""Partitions by the timestamp of UUIDv7 ids."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from config.db import partitions
from config.db.ids import uuid7, uuid7_floor
from config.db.partitions import (
    ensure_partitions,
    existing_partitions,
    expire_partitions,
    next_start,
    partition_at,
    partitioned_models,
    period_start,
    periods_ahead,
    required_partitions,
)
from config.tenancy.managers import CLOCK_SKEW, PARTITION_HORIZON
from config.tenancy.scope import tenant_scope
from config.testing.database import connect
from config.testing.fixtures import add_member
from config.testing.roles import as_platform
from conversations.models import (
    AnswerLease,
    Attachment,
    McpToolExecution,
    Message,
    MessageEmbedding,
    ToolExecution,
    TurnStep,
)
from conversations.tests.factories import AttachmentFactory, MessageFactory, ToolExecutionFactory
from tenants.tests.factories import TenantFactory

PERIODS = ("week", "month", "quarter")
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
TABLE = Message._meta.db_table
REFERRING = (AnswerLease, Attachment, McpToolExecution, MessageEmbedding, ToolExecution, TurnStep)


def day(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("week", day(2026, 2, 23), day(2026, 3, 2)),
        ("month", day(2026, 2, 1), day(2026, 3, 1)),
        ("quarter", day(2026, 1, 1), day(2026, 4, 1)),
    ],
)
def test_bounds_of_a_period(period, start, end):
    part = partition_at("t", day(2026, 2, 28), period)

    assert (part.start, part.end) == (start, end)
    assert part.name == f"t_p{start:%Y%m%d}"


@pytest.mark.parametrize("period", PERIODS)
@given(moment=MOMENTS)
def test_periods_meet_without_gap_or_overlap(period, moment):
    start = period_start(moment, period)
    end = next_start(start, period)

    assert start <= moment < end
    assert period_start(end, period) == end
    assert period_start(end - timedelta(microseconds=1), period) == start


def test_unknown_period_is_rejected():
    with pytest.raises(ValueError, match="unknown partition period"):
        period_start(day(2026, 1, 1), "year")


def test_wanted_partitions_reach_from_the_one_before_to_the_ones_ahead():
    wanted = list(required_partitions("t", "month", now=day(2026, 1, 31), ahead=2))

    assert [part.name for part in wanted] == ["t_p20251201", "t_p20260101", "t_p20260201", "t_p20260301"]


def test_every_partitioned_table_is_made_ahead(db, settings):
    for model in partitioned_models():
        assert periods_ahead(model) == settings.PARTITIONS_AHEAD


def test_making_partitions_again_makes_none(db):
    with as_platform():
        assert ensure_partitions() == []


def test_operator_makes_more_ahead_and_each_is_locked(db):
    with as_platform():
        made = ensure_partitions(ahead=5, models_=[Message])
        assert made == existing_partitions(TABLE)[-2:]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity AND relforcerowsecurity, relacl::text FROM pg_class WHERE relname = %s",
            [made[0]],
        )
        forced, rights = cursor.fetchone()
    assert forced
    assert "conclave_app" not in (rights or "")


def test_tenant_work_cannot_make_partitions(scope):
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        ensure_partitions(ahead=9)


def test_only_partitions_of_partitioned_tables_are_made(db):
    bounds = [str(uuid7_floor(day(2030, 1, 1))), str(uuid7_floor(day(2030, 2, 1)))]
    with (
        pytest.raises(DatabaseError, match="is not a partition"),
        as_platform(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT conclave_make_partition('agents_agent', 'agents_agent_p20300101', %s, %s)", bounds
        )


def partition_of(row):
    with as_platform(), connection.cursor() as cursor:
        cursor.execute(f"SELECT tableoid::regclass::text FROM {row._meta.db_table} WHERE id = %s", [row.pk])
        return cursor.fetchone()[0]


@pytest.mark.parametrize("days", [0, 35, 65])
def test_row_goes_to_the_partition_of_its_id(scope, days):
    moment = timezone.now() + timedelta(days=days)
    message = MessageFactory(id=uuid7(moment))

    assert partition_of(message) == partition_at(TABLE, moment, "month").name
    assert abs(message.created_at - moment) < timedelta(seconds=1)


def test_row_without_a_partition_is_refused(scope):
    with pytest.raises(DatabaseError, match="no partition"):
        MessageFactory(id=uuid7(day(2001, 1, 1)))


def scanned_tables(queryset):
    """Return the partitions that the plan of `queryset` scans. The policy also looks up the conversation."""
    found, plans = set(), [json.loads(queryset.explain(format="json"))[0]["Plan"]]
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", [])
        if plan.get("Relation Name", "").startswith(TABLE):
            found.add(plan["Relation Name"])
    return found


def test_time_range_reads_its_partitions_only(scope):
    now = timezone.now()
    month = period_start(now, "month")

    assert scanned_tables(Message.objects.between(month, next_start(month, "month"))) == {
        partition_at(TABLE, now, "month").name
    }
    assert len(scanned_tables(Message.objects.all())) > 1


def test_what_is_younger_than_a_row_leaves_out_the_partitions_made_ahead(scope):
    now = timezone.now()
    message = MessageFactory()
    moments = (now - CLOCK_SKEW, now, now + PARTITION_HORIZON + CLOCK_SKEW)

    found = scanned_tables(Message.objects.created_after_id(message.pk).order_by())
    assert found <= {partition_at(TABLE, moment, "month").name for moment in moments}
    assert partition_of(message) in found
    assert Message.objects.created_after_id(message.pk).get() == message


def test_single_row_reads_one_partition(scope):
    message = MessageFactory()

    assert scanned_tables(Message.objects.filter(pk=message.pk)) == {partition_of(message)}


def as_owner(monkeypatch):
    """Use the owner's connection in `config.db.partitions`, as `manage.py partitions` does."""
    owner = connect("conclave_owner")
    monkeypatch.setattr(partitions, "connection", owner)
    return owner


@pytest.fixture
def old_month(transactional_db, monkeypatch):
    """Temporary partitions of messages and tool executions for spring 2020."""
    with as_owner(monkeypatch) as owner:
        for table in (TABLE, ToolExecution._meta.db_table):
            part = partition_at(table, day(2020, 5, 5), "month")
            bounds = [uuid7_floor(part.start), uuid7_floor(part.end)]
            owner.execute("SELECT conclave_make_partition(%s, %s, %s, %s)", [table, part.name, *bounds])
        yield owner
        # Not CASCADE, which would drop the foreign key to messages of an attached partition.
        owner.execute(f"TRUNCATE {', '.join(each._meta.db_table for each in REFERRING)}, {TABLE}")
        for model in (ToolExecution, Message):
            expire_partitions(model, before=day(2020, 7, 1))


def test_only_expired_partition_is_dropped(old_month):
    before = existing_partitions(TABLE)

    assert expire_partitions(Message, before=day(2020, 7, 1)) == [f"{TABLE}_p20200501"]
    assert existing_partitions(TABLE) == before[1:]


def test_partition_that_has_not_ended_stays(old_month):
    assert expire_partitions(Message, before=day(2020, 5, 31)) == []


def test_referenced_rows_stop_their_partition(old_month):
    tenant = TenantFactory()
    with tenant_scope(tenant, user=add_member(tenant).user):
        message = MessageFactory(id=uuid7(day(2020, 5, 5)))
        ToolExecutionFactory(message=message)

    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        expire_partitions(Message, before=day(2020, 7, 1))


def test_what_refers_to_a_table_comes_before_it(db):
    order = partitions.children_first(reversed(partitioned_models()))
    place = {model: number for number, model in enumerate(order)}

    assert set(order) == set(partitioned_models())
    assert max(place[ToolExecution], place[McpToolExecution], place[MessageEmbedding]) < place[Message]
    assert {each.table for each in partitions.references_to(TABLE)} >= {
        each._meta.db_table for each in REFERRING
    }


def test_messages_expire_with_their_attachments_and_later_tool_executions(old_month):
    tenant = TenantFactory()
    with tenant_scope(tenant, user=add_member(tenant).user):
        message = MessageFactory(id=uuid7(day(2020, 5, 31)))
        kept = AttachmentFactory()
        AttachmentFactory(message=message)
        ToolExecutionFactory(message=message)
        recent = ToolExecutionFactory()
    dropped = dict(partitions.expire_all([Message, ToolExecution], before=day(2020, 7, 1)))

    assert dropped[Message] == [f"{TABLE}_p20200501"]
    with tenant_scope(tenant, actor="system:test"):
        assert list(Attachment.objects.values_list("pk", flat=True)) == [kept.pk]
        assert list(ToolExecution.objects.values_list("pk", flat=True)) == [recent.pk]


def test_rows_of_a_table_that_was_not_chosen_stop_the_partition(old_month):
    tenant = TenantFactory()
    with tenant_scope(tenant, user=add_member(tenant).user):
        ToolExecutionFactory(message=MessageFactory(id=uuid7(day(2020, 5, 5))))

    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        list(partitions.expire_all([Message], before=day(2020, 7, 1)))


def test_command_lists(db):
    out = StringIO()
    call_command("partitions", "--list", stdout=out)

    assert f"{TABLE}: 5 by month, 3 ahead of the current one" in out.getvalue()


@pytest.mark.parametrize("wrong", [["--table", "nope"], ["--expire", "yesterday"]])
def test_command_refuses_nonsense(db, wrong):
    with pytest.raises(CommandError):
        call_command("partitions", "--list", *wrong)
