"""The LangGraph checkpointer: conformance, privacy of threads, large values and serialisation."""

import pickle
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.files.storage import default_storage
from django.utils import timezone

from config.db.json_schema import StrictSchema
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from knowledge.services.maintenance import delete_stray_files
from workflows.models import GraphChannelValue, GraphCheckpoint, GraphWrite
from workflows.services.checkpoints import MODELS, get_folder

conformance = pytest.importorskip(
    "langgraph.checkpoint.conformance", reason="langgraph-checkpoint-conformance is not installed"
)

from langgraph.checkpoint.base import empty_checkpoint  # noqa: E402

from workflows.bridges.langgraph import TenantCheckpointSaver  # noqa: E402

LARGE = "x" * 300_000


@pytest.fixture
def saver(tenant, member):
    return TenantCheckpointSaver(tenant.pk, member.user_id)


def config(thread_id="t", **names):
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": "", **names}}


def put(saver, values, thread_id="t", parent=None, **metadata):
    """Store a checkpoint of these channels after `parent`."""
    versions = {name: saver.get_next_version(None, None) for name in values}
    checkpoint = empty_checkpoint() | {"channel_values": values, "channel_versions": versions}
    return saver.put(parent or config(thread_id), checkpoint, {"source": "loop", **metadata}, versions)


def test_conformance_suite_passes(saver):
    @conformance.checkpointer_test(name="TenantCheckpointSaver")
    async def checkpointer():
        yield saver

    report = async_to_sync(conformance.validate)(checkpointer)
    failures = {name: result.failures for name, result in report.results.items() if result.failures}

    assert failures == {}
    assert len(report.results) == 8
    assert all(result.passed for result in report.results.values())
    assert sum(result.tests_passed for result in report.results.values()) >= 60


def test_threads_are_hidden_from_colleagues_and_other_tenants(saver, tenant, other_tenant):
    put(saver, {"answer": 42})
    with tenant_scope(other_tenant, actor="system:test"):
        foreign = TenantCheckpointSaver(other_tenant.pk, add_member(other_tenant).user_id)
    for other in (TenantCheckpointSaver(tenant.pk, add_member(tenant).user_id), foreign):
        assert other.get_tuple(config()) is None
        assert list(other.list(None)) == []
        other.delete_thread("t")
        other.prune(["t"], strategy="delete")
        other.copy_thread("t", "mine")
        assert other.get_tuple(config("mine")) is None
        put(other, {"answer": 7})
        assert other.get_tuple(config()).checkpoint["channel_values"] == {"answer": 7}

    assert [each.checkpoint["channel_values"] for each in saver.list(None)] == [{"answer": 42}]


def test_large_values_are_files(saver, tenant, member, django_capture_on_commit_callbacks):
    stored = put(saver, {"text": LARGE, "short": "x"})
    saver.put_writes(stored, [("text", LARGE)], "task")
    saver.copy_thread("t", "copy")
    with tenant_scope(tenant, user=member.user):
        rows = [row for model in MODELS for row in model.objects.exclude(storage_path="")]
    paths = {row.storage_path for row in rows}

    assert len(paths) == len(rows) == 4
    assert {bytes(row.value) for row in rows} == {b""}
    assert min(row.size_bytes for row in rows) > len(LARGE)
    for thread in ("t", "copy"):
        found = saver.get_tuple(config(thread))
        assert found.checkpoint["channel_values"] == {"text": LARGE, "short": "x"}
        assert found.pending_writes == [("task", "text", LARGE)]
    with django_capture_on_commit_callbacks(execute=True):
        saver.delete_thread("t")
    assert sum(default_storage.exists(path) for path in paths) == 2
    assert saver.get_tuple(config("copy")).checkpoint["channel_values"]["text"] == LARGE


def test_a_value_above_the_limit_of_files_is_refused(saver, settings):
    settings.UPLOAD_MAX_BYTES = 280_000
    with pytest.raises(Exception, match="exceeds the maximum size"):
        put(saver, {"text": LARGE})

    assert saver.get_tuple(config()) is None


def test_values_are_never_unpickled(saver, tenant, member):
    stored = put(saver, {"answer": 42})
    with tenant_scope(tenant, user=member.user):
        GraphChannelValue.objects.update(value_type="pickle", value=pickle.dumps({"answer": 42}))

    assert saver.serde.pickle_fallback is False
    with pytest.raises(NotImplementedError, match="pickle"):
        saver.get_tuple(stored)


class Unknown:
    """A class that MessagePack does not know."""


class RefundRequest(StrictSchema):
    """A class of a program that uses the checkpointer."""

    amount: int


def test_a_value_that_cannot_be_serialised_is_refused(saver):
    with pytest.raises(TypeError):
        put(saver, {"answer": Unknown()})


def test_only_allowed_classes_are_restored(saver, tenant, member):
    class_name = (RefundRequest.__module__, RefundRequest.__name__)
    put(saver, {"request": RefundRequest(amount=5), "id": uuid.UUID(int=7), "at": timezone.now()})
    values = saver.get_tuple(config()).checkpoint["channel_values"]
    allowing = TenantCheckpointSaver(tenant.pk, member.user_id, allowed_types=[class_name])

    assert values["request"] == {"amount": 5}
    assert values["id"] == uuid.UUID(int=7)
    assert allowing.get_tuple(config()).checkpoint["channel_values"]["request"] == RefundRequest(amount=5)


def test_text_that_json_columns_refuse_is_stored(saver):
    put(saver, {"text": "a\x00b"}, note="a\x00b", nested={"key": "\x00"})
    found = saver.get_tuple(config())

    assert found.checkpoint["channel_values"] == {"text": "a\x00b"}
    assert "\x00" not in str(found.metadata)


def test_pages_of_a_list_are_in_order(saver, monkeypatch):
    monkeypatch.setattr("workflows.bridges.langgraph.PAGE_SIZE", 2)
    stored = None
    for number in range(5):
        stored = put(saver, {"n": number}, parent=stored, step=number)
    found = [each.checkpoint["channel_values"]["n"] for each in saver.list(config(), limit=4)]

    assert found == [4, 3, 2, 1]
    assert [each.metadata["step"] for each in saver.list(None, filter={"step": 3})] == [3]


def test_pruning_deletes_values_that_nothing_names(saver, tenant, member):
    first = put(saver, {"n": 1})
    saver.put_writes(first, [("n", 2)], "task")
    put(saver, {"n": 2}, parent=first)
    saver.prune(["t"])

    assert saver.get_tuple(config()).checkpoint["channel_values"] == {"n": 2}
    with tenant_scope(tenant, user=member.user):
        assert [model.objects.count() for model in (GraphCheckpoint, GraphChannelValue, GraphWrite)] == [
            1,
            1,
            0,
        ]
    with pytest.raises(ValueError, match="keep_latest or delete"):
        saver.prune(["t"], strategy="all")


def test_pruning_keeps_threads_with_delta_channels(saver):
    counters = {"counters_since_delta_snapshot": {"n": (1, 1)}}
    put(saver, {"n": 2}, parent=put(saver, {"n": 1}, **counters), **counters)
    saver.prune(["t"])

    assert len(list(saver.list(config()))) == 2


def test_runs_share_values_until_the_last_one_is_deleted(saver):
    first = put(saver, {"n": 1}, run_id="one")
    versions = saver.get_tuple(first).checkpoint["channel_versions"]
    later = empty_checkpoint() | {"channel_values": {"n": 1}, "channel_versions": versions}
    saver.put(first, later, {"source": "loop", "run_id": "two"}, {})
    saver.delete_for_runs(["one"])

    assert [each.checkpoint["channel_values"] for each in saver.list(config())] == [{"n": 1}]


def test_only_files_that_no_row_names_are_stray(saver, tenant, member):
    put(saver, {"text": LARGE})
    options = {"folder": get_folder(GraphChannelValue), "naming": GraphChannelValue}
    with tenant_scope(tenant, user=member.user):
        path = GraphChannelValue.objects.get().storage_path
    delete_stray_files(timedelta(0), **options)
    assert default_storage.exists(path)
    with tenant_scope(tenant, user=member.user):
        GraphChannelValue.objects.all().delete()
    delete_stray_files(timedelta(0), **options)

    assert not default_storage.exists(path)
