"""Vectors partitioned by tenant: promotion and demotion while others search and write."""

import contextlib
import threading
import time
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from config.postgres.checks import owner_connection
from config.tenancy.scope import tenant_scope
from config.testing.database import connect
from knowledge.models import Chunk, ChunkVector384, ChunkVector1536, vector_model
from knowledge.services.vectors import TableBusyError, VectorPartitioner, balance_partitions
from knowledge.tests.factories import ChunkFactory, ChunkVector384Factory, DocumentFactory
from knowledge.tests.waiting import wait_until

TABLE = ChunkVector384._meta.db_table
FILL = """
WITH made AS (
  INSERT INTO knowledge_chunk (id, tenant_id, collection_id, document_id, chunk_index, content, context,
    start, "end", token_count, embedding_model, semantic_category, semantic_summary, metadata)
  SELECT uuidv7(), %(tenant)s, %(collection)s, %(document)s, g, 'Passage ' || g, '', 0, 0, 1, '', '', '', '{}'
  FROM generate_series(%(first)s, %(last)s) g RETURNING id, tenant_id, collection_id)
INSERT INTO knowledge_chunkvector384 (id, tenant_id, collection_id, embedding)
SELECT id, tenant_id, collection_id,
  array(SELECT random() - 0.5 + 0 * length(id::text) FROM generate_series(1, 384))::halfvec
FROM made RETURNING id"""


def fill(document, count, first=1):
    """`count` chunks with random vectors, in the scope that is open; their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            FILL,
            {
                "tenant": document.tenant_id,
                "collection": document.collection_id,
                "document": document.pk,
                "first": first,
                "last": first + count - 1,
            },
        )
        return [row[0] for row in cursor.fetchall()]


@pytest.fixture
def keeper(db):
    """The keeper of the 384 numbers, as the schema's owner."""
    database = owner_connection()
    yield VectorPartitioner(ChunkVector384, database)
    with connect("conclave_owner") as owner:
        for held in VectorPartitioner(ChunkVector384, database).census():
            if held.own or held.staged:
                owner.execute(f"DROP TABLE {part_of(held.tenant_id)}")
    database.close()


def part_of(tenant_id):
    return f"{TABLE}_t{tenant_id.hex}"


def filled(tenant, count):
    with tenant_scope(tenant, actor="system:test"):
        document = DocumentFactory()
        return document, fill(document, count)


def ids_of(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return list(ChunkVector384.objects.values_list("pk", flat=True))


def places(tenant):
    with connect("conclave_owner") as owner:
        rows = owner.execute(
            f"SELECT tableoid::regclass::text, count(*) FROM {TABLE} WHERE tenant_id = %s GROUP BY 1",
            [tenant.pk],
        )
        return dict(rows.fetchall())


def test_each_dimension_has_a_table():
    assert vector_model(1536) is ChunkVector1536


def test_dimension_without_a_table_is_rejected():
    with pytest.raises(ValueError, match="no vector table has 3 dimensions, only 384"):
        vector_model(3)


@pytest.mark.django_db(transaction=True)
def test_promoted_tenant_has_a_separate_partition(keeper, tenant, other_tenant):
    _, mine = filled(tenant, 30)
    _, theirs = filled(other_tenant, 20)

    assert keeper.promote(tenant.pk).vectors == 30
    assert places(tenant) == {part_of(tenant.pk): 30}
    assert places(other_tenant) == {f"{TABLE}_default": 20}
    assert set(ids_of(tenant)) == set(mine)
    assert set(ids_of(other_tenant)) == set(theirs)


@pytest.mark.django_db(transaction=True)
def test_a_promoted_partition_is_protected_and_indexed(keeper, tenant):
    filled(tenant, 5)
    keeper.promote(tenant.pk)
    with connect("conclave_owner") as owner:
        part = part_of(tenant.pk)
        flags = owner.execute(
            f"SELECT relrowsecurity, relforcerowsecurity, relacl FROM pg_class WHERE relname = '{part}'"
        ).fetchone()
        kinds = owner.execute(
            f"SELECT count(*) FROM pg_indexes WHERE tablename = '{part}' AND indexdef ~ 'USING hnsw'"
        ).fetchone()

    assert flags == (True, True, None)
    assert kinds == (1,)


@pytest.mark.django_db(transaction=True)
def test_nobody_reads_a_partition_directly(keeper, tenant, second_connection):
    filled(tenant, 5)
    keeper.promote(tenant.pk)
    web = second_connection()
    web.execute("SET ROLE conclave_app")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        web.execute(f"SELECT * FROM {part_of(tenant.pk)}")


@pytest.mark.django_db(transaction=True)
def test_another_tenant_sees_nothing_of_a_promoted_one(keeper, tenant, other_tenant):
    _, mine = filled(tenant, 5)
    keeper.promote(tenant.pk)
    with tenant_scope(other_tenant), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {TABLE} WHERE tenant_id = %s", [tenant.pk])
        found = cursor.fetchone()

    assert (len(mine), found) == (5, (0,))


@pytest.mark.django_db(transaction=True)
def test_deleted_chunks_of_a_promoted_tenant_delete_their_vectors(keeper, tenant):
    _, mine = filled(tenant, 5)
    keeper.promote(tenant.pk)
    with tenant_scope(tenant, actor="system:test"):
        Chunk.objects.filter(pk__in=mine[:2]).delete()

    assert sorted(ids_of(tenant)) == sorted(mine[2:])


@pytest.mark.django_db(transaction=True)
def test_a_vector_without_its_chunk_is_refused_after_the_promotion(keeper, tenant, other_tenant):
    filled(tenant, 5)
    keeper.promote(tenant.pk)
    with tenant_scope(other_tenant, actor="system:test"):
        foreign = ChunkFactory()
    with pytest.raises(Exception, match="foreign key"), tenant_scope(tenant, actor="system:test"):
        ChunkVector384Factory(chunk=foreign)


@pytest.mark.django_db(transaction=True)
def test_demotion_moves_all_vectors_back(keeper, tenant):
    _, mine = filled(tenant, 12)
    keeper.promote(tenant.pk)

    assert keeper.demote(tenant.pk, most=12).vectors == 12
    assert places(tenant) == {f"{TABLE}_default": 12}
    assert sorted(ids_of(tenant)) == sorted(mine)


@pytest.mark.django_db(transaction=True)
def test_demotion_of_too_many_is_refused(keeper, tenant):
    filled(tenant, 12)
    keeper.promote(tenant.pk)

    with pytest.raises(Exception, match="has 12 vectors, more than 11"):
        keeper.demote(tenant.pk, most=11)
    assert places(tenant) == {part_of(tenant.pk): 12}


@pytest.mark.django_db(transaction=True)
def test_interrupted_promotion_is_restarted(keeper, tenant):
    _, mine = filled(tenant, 6)
    keeper._call("stage", tenant.pk, 16, 64)
    assert [(held.own, held.staged) for held in keeper.census()] == [(False, True)]
    assert sorted(ids_of(tenant)) == sorted(mine)

    keeper.promote(tenant.pk)
    assert places(tenant) == {part_of(tenant.pk): 6}


@pytest.mark.django_db(transaction=True)
def test_changes_after_the_copy_are_applied(keeper, tenant):
    document, mine = filled(tenant, 10)
    _, since = keeper._call("stage", tenant.pk, 16, 64)
    with tenant_scope(tenant, actor="system:test"):
        Chunk.objects.filter(pk=mine[0]).delete()
        ChunkVector384.objects.filter(pk=mine[1]).delete()
        ChunkVector384.objects.filter(pk=mine[2]).update(embedding=[1.0] + [0.0] * 383)
        late = fill(document, 3, first=100)
    keeper._call("bind", tenant.pk)
    keeper._call("validate", tenant.pk)
    keeper._call("catch_up", tenant.pk, since, 100)
    keeper._call("swap", tenant.pk, since)

    assert sorted(ids_of(tenant)) == sorted([*mine[2:], *late])
    with tenant_scope(tenant):
        assert ChunkVector384.objects.get(pk=mine[2]).embedding[0] == 1.0


@pytest.mark.django_db(transaction=True)
def test_changes_after_the_catch_up_are_applied(keeper, tenant):
    document, mine = filled(tenant, 10)
    _, since = keeper._call("stage", tenant.pk, 16, 64)
    keeper._call("bind", tenant.pk)
    keeper._call("validate", tenant.pk)
    since = keeper._catch_up(tenant.pk, since)
    with tenant_scope(tenant, actor="system:test"):
        Chunk.objects.filter(pk=mine[0]).delete()
        ChunkVector384.objects.filter(pk=mine[1]).delete()
        late = fill(document, 3, first=100)
    keeper._call("swap", tenant.pk, since)

    assert sorted(ids_of(tenant)) == sorted([*mine[2:], *late])


@pytest.mark.django_db(transaction=True)
def test_the_job_promotes_the_large_and_demotes_the_small(keeper, tenant, other_tenant, settings):
    filled(tenant, 9)
    filled(other_tenant, 8)
    settings.VECTOR_PARTITION_ROWS = 8
    assert [(move.verb, move.tenant_id) for move in balance_partitions(keeper.connection)] == [
        ("promoted", tenant.pk)
    ]
    assert list(balance_partitions(keeper.connection)) == []

    settings.VECTOR_PARTITION_ROWS = 20
    assert [(move.verb, move.tenant_id) for move in balance_partitions(keeper.connection)] == [
        ("demoted", tenant.pk)
    ]


@pytest.mark.django_db(transaction=True)
def test_the_worker_may_promote_and_the_web_server_may_not(keeper, tenant, second_connection):
    filled(tenant, 3)
    worker = second_connection("conclave_worker")
    worker.execute("SELECT conclave_vectors_stage(%s, %s, 16, 64)", [TABLE, tenant.pk])
    assert [held.staged for held in keeper.census()] == [True]

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        second_connection().execute("SELECT conclave_vectors_stage(%s, %s, 16, 64)", [TABLE, tenant.pk])


@pytest.mark.parametrize("parent", ["knowledge_chunk", "audit_auditlog", "nothing", "x; DROP TABLE y"])
def test_only_vector_tables_are_accepted(db, tenant, parent):
    with connect("conclave_owner") as owner, pytest.raises(psycopg.errors.InvalidParameterValue):
        owner.execute("SELECT conclave_vectors_stage(%s, %s, 16, 64)", [parent, tenant.pk])


def test_a_promotion_inside_a_transaction_is_refused(tenant):
    with transaction.atomic(), pytest.raises(transaction.TransactionManagementError):
        VectorPartitioner(ChunkVector384).promote(tenant.pk)


@pytest.mark.django_db(transaction=True)
def test_the_command_lists_and_moves(keeper, tenant, monkeypatch):
    filled(tenant, 4)
    monkeypatch.setattr("knowledge.services.vectors.default_connection", keeper.connection)
    out = StringIO()
    call_command("vectors", promote=tenant.slug, dimensions=384, stdout=out)

    assert f"promoted {tenant.pk} in {TABLE}: 4 vectors" in out.getvalue()
    assert (
        f"{TABLE}: 0 vectors of 0 tenants in the default partition, 1 tenants in separate partitions"
        in out.getvalue()
    )


def test_the_command_names_an_unknown_tenant(keeper, tenant, monkeypatch):
    monkeypatch.setattr("knowledge.services.vectors.default_connection", keeper.connection)
    with pytest.raises(CommandError, match="nobody"):
        call_command("vectors", promote="nobody", stdout=StringIO())


class Client(threading.Thread):
    """Repeats `step` until stopped; records the longest time and the error."""

    def __init__(self, step):
        super().__init__()
        self.step, self.stop, self.times, self.error = step, threading.Event(), [], None

    def run(self):
        try:
            while not self.stop.is_set():
                began = time.perf_counter()
                self.step()
                self.times.append(time.perf_counter() - began)
                self.stop.wait(0.05)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        finally:
            connection.close()


class Writer:
    """Adds and deletes chunks with vectors, and knows what must be there."""

    def __init__(self, tenant, document, place):
        self.tenant, self.document, self.place, self.there = tenant, document, place, []

    def __call__(self):
        with tenant_scope(self.tenant, actor="system:test"):
            added = fill(self.document, 2, first=self.place)
            gone = self.there[:1]
            Chunk.objects.filter(pk__in=gone).delete()
        self.place += 2
        self.there = [*self.there[1:], *added]


def search_stable(tenant, stable):
    """Return a step that checks that each stable row is visible exactly once; later rows have greater ids."""
    sql = f"SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE id <= %s) FROM {TABLE}"

    def step():
        with tenant_scope(tenant, actor="system:test"), connection.cursor() as cursor:
            cursor.execute(sql, [max(stable)])
            rows, distinct, found = cursor.fetchone()
        assert rows == distinct
        assert found == len(stable)

    return step


def move_while_busy(step, clients):
    """Move the tenant; on a loaded machine try again as long as the clients make progress."""

    def attempt():
        with contextlib.suppress(TableBusyError):
            return step()

    return wait_until(attempt, progress=lambda: [len(client.times) for client in clients])


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_promotion_under_load_shows_each_row_exactly_once(keeper, tenant):
    document, stable = filled(tenant, 3000)
    writers = [Writer(tenant, document, 10**6 * number) for number in (1, 2)]
    clients = [Client(each) for each in (*writers, *[search_stable(tenant, stable)] * 2)]
    for client in clients:
        client.start()
    moves = [
        move_while_busy(step, clients)
        for step in (
            lambda: keeper.promote(tenant.pk),
            lambda: keeper.demote(tenant.pk, most=10**6),
            lambda: keeper.promote(tenant.pk),
        )
    ]
    for client in clients:
        client.stop.set()
        client.join()

    assert [client.error for client in clients] == [None] * 4
    assert min(len(client.times) for client in clients) > 10
    assert sorted(ids_of(tenant)) == sorted([*stable, *writers[0].there, *writers[1].there])
    assert all(move.locked_ms < 100 for move in moves if move.verb == "promoted"), moves
