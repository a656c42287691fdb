"""State of LangGraph graphs: each user sees the rows of the own threads."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from workflows.models import GraphChannelValue, GraphCheckpoint, GraphWrite

THREAD = ("thread_id", "namespace")
VALUE = fieldset("Value", ("value_type", "size_bytes"), "storage_path")


class GraphRowAdmin(ReadOnlyAdmin):
    """Base of the pages of threads."""

    resource = "workflows"
    icon = "account_tree"
    list_filter = (CreatedFilter,)
    search_fields = ("thread_id",)


@admin.register(GraphCheckpoint)
class GraphCheckpointAdmin(GraphRowAdmin):
    title = "Graph checkpoints"
    position = 80
    list_display = ("thread_id", "namespace", "checkpoint_id", "created_at")
    fieldsets = (
        fieldset(None, THREAD, ("checkpoint_id", "parent_checkpoint_id"), "metadata", "channel_versions"),
        VALUE,
    )


@admin.register(GraphChannelValue)
class GraphChannelValueAdmin(GraphRowAdmin):
    title = "Graph channel values"
    position = 82
    list_display = ("thread_id", "channel", "version", "size_bytes", "created_at")
    fieldsets = (fieldset(None, THREAD, ("channel", "version")), VALUE)


@admin.register(GraphWrite)
class GraphWriteAdmin(GraphRowAdmin):
    title = "Graph writes"
    position = 84
    list_display = ("thread_id", "checkpoint_id", "channel", "position", "created_at")
    fieldsets = (
        fieldset(None, THREAD, "checkpoint_id", ("task_id", "task_path"), ("channel", "position")),
        VALUE,
    )
