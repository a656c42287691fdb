"""State of LangGraph graphs: checkpoints, the values of their channels, and writes that no checkpoint has yet.

The rows have no foreign keys among each other: LangGraph stores writes and checkpoints from different threads.
"""

from django.db import models

from config.db.constraints import unique_per_tenant
from config.tenancy.models import UserOwnedModel

AUDIT_REASON = "state that a graph stores at each step, many times per second"


class GraphRow(UserOwnedModel):
    """Base of the rows of a thread, which belongs to the user who started it."""

    audit_exempt = AUDIT_REASON

    thread_id = models.CharField(max_length=255, help_text="ID of the thread, which the program chooses.")
    namespace = models.CharField(
        max_length=500, blank=True, default="", help_text="Path of the subgraph. Empty: the graph itself."
    )
    value_type = models.CharField(
        max_length=20, help_text="Format of the serialised value, such as `msgpack`; `empty` if it has none."
    )
    value = models.BinaryField(default=bytes, help_text="Value, serialised by LangGraph.")
    size_bytes = models.BigIntegerField(default=0, editable=False, help_text="Size of the serialised value.")
    storage_path = models.CharField(
        max_length=500,
        blank=True,
        default="",
        editable=False,
        help_text="File of a value above 256 kB, which `value` lacks.",
    )

    class Meta(UserOwnedModel.Meta):
        abstract = True


class GraphCheckpoint(GraphRow):
    """The state of a graph after a step, without the values of its channels."""

    checkpoint_id = models.CharField(
        max_length=100, help_text="ID of the checkpoint; later ones are greater."
    )
    parent_checkpoint_id = models.CharField(
        max_length=100, blank=True, default="", help_text="ID of the checkpoint before. Empty: none."
    )
    channel_versions = models.JSONField(
        default=dict, blank=True, help_text='Version of each channel: {"messages": "3.0.52"}.'
    )
    metadata = models.JSONField(
        default=dict, blank=True, help_text='Origin of the checkpoint: {"source": "loop", "step": 1}.'
    )

    class Meta(GraphRow.Meta):
        constraints = [
            unique_per_tenant(
                "user", "thread_id", "namespace", "checkpoint_id", message="The checkpoint exists."
            )
        ]

    def __str__(self) -> str:
        return f"Checkpoint {self.checkpoint_id} of {self.thread_id}"


class GraphChannelValue(GraphRow):
    """The value of a channel in one version, shared by the checkpoints that name it."""

    channel = models.CharField(max_length=255, help_text="Name of the channel.")
    version = models.CharField(max_length=100, help_text="Version of the channel.")

    class Meta(GraphRow.Meta):
        constraints = [
            unique_per_tenant(
                "user", "thread_id", "namespace", "channel", "version", message="The value exists."
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.version} of {self.thread_id}"


class GraphWrite(GraphRow):
    """A value that a task has written after a checkpoint, or its interrupt, error or answer."""

    checkpoint_id = models.CharField(max_length=100, help_text="ID of the checkpoint.")
    task_id = models.CharField(max_length=100, help_text="ID of the task.")
    task_path = models.TextField(blank=True, default="", help_text="Path of the task, which orders tasks.")
    position = models.IntegerField(help_text="Position within the task; negative for special channels.")
    channel = models.CharField(max_length=255, help_text="Name of the channel.")

    class Meta(GraphRow.Meta):
        constraints = [
            unique_per_tenant(
                "user",
                "thread_id",
                "namespace",
                "checkpoint_id",
                "task_id",
                "position",
                message="The write exists.",
            )
        ]

    def __str__(self) -> str:
        return f"Write {self.position} of task {self.task_id}"
