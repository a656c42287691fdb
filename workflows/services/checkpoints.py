"""Rows of the threads of LangGraph graphs, with their large values as files.

Call the functions that read or write files outside transactions: the storage may be remote.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db.models import Q, QuerySet

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from knowledge.services.files import delete_file, store_file
from workflows.models import GraphChannelValue, GraphCheckpoint, GraphWrite
from workflows.models.checkpoints import GraphRow
from workflows.services.outputs import MAX_INLINE_SIZE

MODELS: tuple[type[GraphRow], ...] = (GraphCheckpoint, GraphChannelValue, GraphWrite)
COPIED_AT_ONCE = 100


def get_folder(model: type[GraphRow]) -> str:
    """Return the folder of the files of a model, within those of the tenant."""
    return str(model._meta.model_name)


def build_row(model: type[GraphRow], tenant_id: UUID, value: tuple[str, bytes], **fields: Any) -> GraphRow:
    """Return a new row with a serialised value, which becomes a file above 256 kB.

    Raises:
        FileTooLargeError: the value exceeds the limit of files.
    """
    value_type, data = value
    row = model(tenant_id=tenant_id, value_type=value_type, value=data, size_bytes=len(data), **fields)
    if len(data) > MAX_INLINE_SIZE:
        stored = store_file([data], tenant_id=tenant_id, name="value.bin", folder=get_folder(model))
        row.value, row.storage_path = b"", stored.path
    return row


def read_value(row: GraphRow) -> tuple[str, bytes]:
    """Return the format and the bytes of a row's value."""
    if not row.storage_path:
        return row.value_type, bytes(row.value)
    with default_storage.open(row.storage_path, "rb") as file:
        return row.value_type, file.read()


def insert_rows(rows: Sequence[GraphRow], *, replace: bool = False) -> None:
    """Insert rows of one model. Rows that exist stay, or are replaced; their files are deleted later by a job."""
    if not rows:
        return
    model: Any = type(rows[0])
    if not replace:
        model.objects.bulk_create(rows, ignore_conflicts=True)
        return
    key = next(each.fields for each in model._meta.constraints if each.name.endswith("_once"))
    written = [field.name for field in model._meta.local_concrete_fields]
    changed = [name for name in written if name not in {"id", "created_at", "updated_at", *key}]
    model.objects.bulk_create(rows, update_conflicts=True, unique_fields=list(key), update_fields=changed)


def delete_rows(rows: QuerySet[Any]) -> None:
    """Delete rows, and their files after the transaction."""
    for path in rows.exclude(storage_path="").values_list("storage_path", flat=True):
        delete_file(path)
    rows.delete()


def delete_threads(user_id: UUID, thread_ids: Iterable[str]) -> None:
    """Delete all rows of threads."""
    for model in MODELS:
        delete_rows(model.objects.filter(user_id=user_id, thread_id__in=list(thread_ids)))


def delete_checkpoints(checkpoints: QuerySet[GraphCheckpoint], user_id: UUID) -> None:
    """Delete checkpoints with their writes, and the values that no other checkpoint names."""
    found = list(checkpoints.values_list("id", "thread_id", "namespace", "checkpoint_id"))
    for _, thread_id, namespace, checkpoint_id in found:
        delete_rows(
            GraphWrite.objects.filter(
                user_id=user_id, thread_id=thread_id, namespace=namespace, checkpoint_id=checkpoint_id
            )
        )
    delete_rows(GraphCheckpoint.objects.filter(pk__in=[pk for pk, *_ in found]))
    for thread_id, namespace in {each[1:3] for each in found}:
        place = {"user_id": user_id, "thread_id": thread_id, "namespace": namespace}
        versions = GraphCheckpoint.objects.filter(**place).values_list("channel_versions", flat=True)
        named = {(channel, str(version)) for each in versions for channel, version in each.items()}
        values = GraphChannelValue.objects.filter(**place).values_list("pk", "channel", "version")
        unused = [pk for pk, channel, version in values if (channel, version) not in named]
        delete_rows(GraphChannelValue.objects.filter(pk__in=unused))


def prune_threads(user_id: UUID, thread_ids: Iterable[str]) -> None:
    """Keep the latest checkpoint of each namespace of threads.

    Namespaces with delta channels stay as they are: their values are spread over earlier checkpoints.
    """
    rows = GraphCheckpoint.objects.filter(user_id=user_id, thread_id__in=list(thread_ids))
    latest = rows.order_by("thread_id", "namespace", "-checkpoint_id").distinct("thread_id", "namespace")
    for each in latest:
        if "counters_since_delta_snapshot" not in each.metadata:
            place = rows.filter(thread_id=each.thread_id, namespace=each.namespace)
            delete_checkpoints(place.exclude(pk=each.pk), user_id)


def copy_thread(tenant_id: UUID, user_id: UUID, source: str, target: str) -> None:
    """Copy all rows of a thread to another one, each portion in a transaction; rows that exist stay."""
    for model in MODELS:
        with tenant_scope(tenant_id, user=user_id):
            mine = model.objects.filter(user_id=user_id, thread_id=source)
            ids = list(mine.order_by("id").values_list("pk", flat=True))
        for start in range(0, len(ids), COPIED_AT_ONCE):
            with tenant_scope(tenant_id, user=user_id):
                rows = list(model.objects.filter(pk__in=ids[start : start + COPIED_AT_ONCE]).order_by("id"))
            for row in rows:
                if row.storage_path:
                    stored = [read_value(row)[1]]
                    folder = get_folder(model)
                    row.storage_path = store_file(
                        stored, tenant_id=tenant_id, name="value.bin", folder=folder
                    ).path
                row.pk, row.thread_id = uuid7(), target
            with tenant_scope(tenant_id, user=user_id):
                insert_rows(rows)


def find_values(user_id: UUID, checkpoints: Sequence[GraphCheckpoint]) -> list[GraphChannelValue]:
    """Return the values that checkpoints name, and values of other versions with the same number."""
    versions = [each.channel_versions for each in checkpoints]
    return list(
        GraphChannelValue.objects.filter(
            *_in_threads(checkpoints),
            user_id=user_id,
            channel__in={channel for each in versions for channel in each},
            version__in={str(version) for each in versions for version in each.values()},
        ).exclude(value_type="empty")
    )


def find_writes(user_id: UUID, checkpoints: Sequence[GraphCheckpoint]) -> list[GraphWrite]:
    """Return the writes after checkpoints."""
    ids = {each.checkpoint_id for each in checkpoints}
    return list(GraphWrite.objects.filter(*_in_threads(checkpoints), user_id=user_id, checkpoint_id__in=ids))


def _in_threads(checkpoints: Sequence[GraphCheckpoint]) -> tuple[Q]:
    return (
        Q(
            thread_id__in={each.thread_id for each in checkpoints},
            namespace__in={each.namespace for each in checkpoints},
        ),
    )
