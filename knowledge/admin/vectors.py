"""Admin of chunk vectors."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin
from config.admin.paginator import BoundedPaginator
from knowledge.models import ChunkVector384, ChunkVector768, ChunkVector1024, ChunkVector1536


@admin.register(ChunkVector384, ChunkVector768, ChunkVector1024, ChunkVector1536)
class ChunkVectorAdmin(ReadOnlyAdmin):
    """Existing chunk vectors; their values are not shown."""

    resource = "collections"
    icon = "scatter_plot"
    title = "Vectors"
    in_sidebar = False
    paginator = BoundedPaginator
    list_display = ("id", "collection")
    fields = ("id", "collection")
