"""Checkpointer that stores the threads of LangGraph graphs in the tenant's tables.

Needs the package `langgraph-checkpoint`. Call graphs outside any scope: each call here opens a short one.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from config.db.connections import release_connections
from config.tenancy.scope import tenant_scope
from conversations.runtime.journal import strip_unstorable_json
from workflows.models import GraphChannelValue, GraphCheckpoint, GraphWrite
from workflows.services import checkpoints as store

P = ParamSpec("P")
T = TypeVar("T")
# Checkpoints that `list` loads at once, with their values.
PAGE_SIZE = 50
EMPTY = ("empty", b"")
# Members of a checkpoint that are stored in separate columns or rows.
SEPARATE = frozenset({"channel_values", "channel_versions"})


class TenantCheckpointSaver(BaseCheckpointSaver[str]):
    """Checkpointer of one user's threads in one tenant; other users cannot read them.

    Values are serialised as MessagePack and never unpickled. Classes outside LangGraph's own list of safe types are
    restored only if `allowed_types` names them; others become plain data.
    """

    def __init__(
        self, tenant_id: UUID, user_id: UUID, *, allowed_types: Sequence[tuple[str, ...] | type] = ()
    ) -> None:
        """Store threads of `user_id`, who must be a member of the tenant.

        Args:
            allowed_types: further classes that stored values may have, or their modules and names.
        """
        serializer = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=allowed_types or None)
        super().__init__(serde=serializer)
        self.tenant_id, self.user_id = tenant_id, user_id

    @contextmanager
    def _scope(self) -> Iterator[None]:
        try:
            with tenant_scope(self.tenant_id, user=self.user_id):
                yield
        finally:
            # LangGraph stores from background threads, which would keep their connections.
            release_connections()

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that the configuration names, or the latest one of its namespace."""
        thread_id, namespace = _read_place(config)
        wanted = {"checkpoint_id": given} if (given := get_checkpoint_id(config)) else {}
        with self._scope():
            rows = self._checkpoints().filter(thread_id=thread_id, namespace=namespace, **wanted)
            ids = list(rows.order_by("-checkpoint_id").values_list("pk", flat=True)[:1])
        return next(self._load(ids), None)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 (the name of the interface)
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yield the user's checkpoints, newest first; `filter` compares members of the metadata."""
        with self._scope():
            rows = self._checkpoints()
            if config is not None:
                given = config["configurable"]
                names = {
                    "thread_id": "thread_id",
                    "checkpoint_ns": "namespace",
                    "checkpoint_id": "checkpoint_id",
                }
                wanted = {field: given[name] for name, field in names.items() if given.get(name) is not None}
                rows = rows.filter(**wanted)
            if filter:
                rows = rows.filter(metadata__contains=filter)
            if before is not None and (end := get_checkpoint_id(before)):
                rows = rows.filter(checkpoint_id__lt=end)
            ids = [*rows.order_by("-checkpoint_id", "-id").values_list("pk", flat=True)[:limit]]
        for start in range(0, len(ids), PAGE_SIZE):
            yield from self._load(ids[start : start + PAGE_SIZE])

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and the values of the channels that have changed.

        Raises:
            FileTooLargeError: a value exceeds the limit of files; nothing is stored.
        """
        thread_id, namespace = _read_place(config)
        values = checkpoint["channel_values"]
        changed = [
            self._build(
                GraphChannelValue,
                self.serde.dumps_typed(values[channel]) if channel in values else EMPTY,
                config,
                channel=channel,
                version=str(version),
            )
            for channel, version in new_versions.items()
        ]
        state = {name: value for name, value in checkpoint.items() if name not in SEPARATE}
        row = self._build(
            GraphCheckpoint,
            self.serde.dumps_typed(state),
            config,
            checkpoint_id=checkpoint["id"],
            parent_checkpoint_id=get_checkpoint_id(config) or "",
            channel_versions=checkpoint["channel_versions"],
            metadata=strip_unstorable_json(get_serializable_checkpoint_metadata(config, metadata)),
        )
        with self._scope():
            store.insert_rows(changed)
            store.insert_rows([row], replace=True)
        return _build_config(thread_id, namespace, checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote after the checkpoint; of ordinary writes, the first one stays.

        Raises:
            FileTooLargeError: a value exceeds the limit of files; nothing is stored.
        """
        rows = [
            self._build(
                GraphWrite,
                self.serde.dumps_typed(value),
                config,
                checkpoint_id=get_checkpoint_id(config),
                task_id=task_id,
                task_path=task_path,
                position=WRITES_IDX_MAP.get(channel, number),
                channel=channel,
            )
            for number, (channel, value) in enumerate(writes)
        ]
        with self._scope():
            store.insert_rows([row for row in rows if row.position >= 0])
            store.insert_rows([row for row in rows if row.position < 0], replace=True)

    def delete_thread(self, thread_id: str) -> None:
        """Delete all checkpoints, values and writes of a thread."""
        with self._scope():
            store.delete_threads(self.user_id, [thread_id])

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints whose metadata names one of the runs, with their writes."""
        with self._scope():
            rows = self._checkpoints().filter(metadata__run_id__in=[str(run) for run in run_ids])
            store.delete_checkpoints(rows, self.user_id)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread of the user to another thread of the user."""
        store.copy_thread(self.tenant_id, self.user_id, source_thread_id, target_thread_id)
        release_connections()

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the latest checkpoint of each namespace (`keep_latest`), or none (`delete`).

        Raises:
            ValueError: the strategy is unknown.
        """
        prune = {"keep_latest": store.prune_threads, "delete": store.delete_threads}.get(strategy)
        if prune is None:
            raise ValueError(f"The strategy must be keep_latest or delete, not {strategy}.")
        with self._scope():
            prune(self.user_id, thread_ids)

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Return a greater version, unique so that forks of a thread do not share values."""
        number = int(str(current).partition(".")[0]) if current is not None else 0
        return f"{number + 1:020}.{secrets.token_hex(8)}"

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that the configuration names, or the latest one of its namespace."""
        return await _call(self.get_tuple, config)

    async def alist(self, config: RunnableConfig | None, **options: Any) -> AsyncIterator[CheckpointTuple]:
        """Yield the user's checkpoints, newest first, with the arguments of `list`."""
        found = self.list(config, **options)
        while (each := await _call(next, found, None)) is not None:
            yield each

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint as `put` does."""
        return await _call(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store writes as `put_writes` does."""
        await _call(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete all checkpoints, values and writes of a thread."""
        await _call(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of runs."""
        await _call(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread of the user to another thread of the user."""
        await _call(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the latest checkpoint of each namespace (`keep_latest`), or none (`delete`)."""
        await _call(self.prune, thread_ids, strategy=strategy)

    def _checkpoints(self) -> Any:
        return GraphCheckpoint.objects.filter(user_id=self.user_id)

    def _build(self, model: Any, value: tuple[str, bytes], config: RunnableConfig, **fields: Any) -> Any:
        thread_id, namespace = _read_place(config)
        fields |= {"user_id": self.user_id, "thread_id": thread_id, "namespace": namespace}
        return store.build_row(model, self.tenant_id, value, **fields)

    def _load(self, ids: Sequence[UUID]) -> Iterator[CheckpointTuple]:
        """Yield the checkpoints with these IDs, in their order; those deleted meanwhile are left out."""
        if not ids:
            return
        with self._scope():
            rows = self._checkpoints().in_bulk(ids)
            found = [rows[each] for each in ids if each in rows]
            values = store.find_values(self.user_id, found)
            writes = store.find_writes(self.user_id, found)
        by_version = {(each.thread_id, each.namespace, each.channel, each.version): each for each in values}
        writes.sort(key=lambda each: writes_sort_key(each.task_path, each.task_id, each.position))
        for row in found:
            named = [
                by_version.get((row.thread_id, row.namespace, channel, str(version)))
                for channel, version in row.channel_versions.items()
            ]
            yield self._build_tuple(
                row,
                [each for each in named if each is not None],
                [each for each in writes if _is_behind(row, each)],
            )

    def _build_tuple(
        self, row: GraphCheckpoint, values: Sequence[GraphChannelValue], writes: Sequence[GraphWrite]
    ) -> CheckpointTuple:
        def load(each: Any) -> Any:
            return self.serde.loads_typed(store.read_value(each))

        place = row.thread_id, row.namespace
        parent = row.parent_checkpoint_id
        checkpoint = load(row)
        checkpoint["channel_values"] = {each.channel: load(each) for each in values}
        checkpoint["channel_versions"] = row.channel_versions
        return CheckpointTuple(
            config=_build_config(*place, row.checkpoint_id),
            checkpoint=checkpoint,
            metadata=row.metadata,
            parent_config=_build_config(*place, parent) if parent else None,
            pending_writes=[(each.task_id, each.channel, load(each)) for each in writes],
        )


def _read_place(config: RunnableConfig) -> tuple[str, str]:
    given = config["configurable"]
    return str(given["thread_id"]), given.get("checkpoint_ns") or ""


def _build_config(thread_id: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    names = {"thread_id": thread_id, "checkpoint_ns": namespace, "checkpoint_id": checkpoint_id}
    return {"configurable": names}


def _is_behind(row: GraphCheckpoint, write: GraphWrite) -> bool:
    return (row.thread_id, row.namespace, row.checkpoint_id) == (
        write.thread_id,
        write.namespace,
        write.checkpoint_id,
    )


async def _call(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    return await sync_to_async(function)(*arguments, **options)
