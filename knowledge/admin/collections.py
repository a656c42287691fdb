"""Admin of collections, documents and chunks."""

from django.contrib import admin
from django.http import HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.views.decorators.csrf import csrf_exempt
from unfold.decorators import action

from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.paginator import BoundedPaginator
from knowledge.models import Chunk, ChunkVectorDraft, Collection, Document
from knowledge.services.chunks import list_warnings
from knowledge.services.collections import archive_collection, delete_collection, restore_collection
from knowledge.services.documents import delete_document, reindex_document
from knowledge.services.library import keep_file_keys

from .forms import CollectionForm
from .uploads import UploadForm, limit_body_size, upload_from_form


@admin.register(Collection)
class CollectionAdmin(BaseModelAdmin):
    resource = "collections"
    icon = "library_books"
    position = 10
    list_display = (
        "name",
        "slug",
        "status",
        "document_count",
        "chunk_count",
        "embedding_model",
        "updated_at",
    )
    list_filter = ("status",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    actions = ("archive", "restore")
    actions_detail = ("open_report",)
    fieldsets = (
        fieldset(None, ("name", "slug"), "description", ("status", "is_sensitive")),
        fieldset(
            "Indexing",
            ("language", "languages"),
            ("embedding_model", "dimensions", "next_embedding_model"),
            ("chunk_size", "chunk_overlap"),
        ),
        fieldset("Contents", ("document_count", "chunk_count")),
        fieldset("Generated questions", ("question_progress", "question_error")),
        fieldset("Data", "settings", "metadata", collapse=True),
    )

    def get_readonly_fields(self, request, obj=None):
        readonly = super().get_readonly_fields(request, obj)
        # The existing chunks were embedded with this model.
        return [*readonly, "embedding_model"] if obj and obj.chunk_count else readonly

    def get_form(self, request, obj=None, change=False, **kwargs):
        kwargs.setdefault("form", CollectionForm)
        return super().get_form(request, obj, change=change, **kwargs)

    def delete_model(self, request, obj):
        delete_collection(obj)

    @action(description="Evaluations", url_path="open-report")
    def open_report(self, request, object_id):
        """Open the report of the evaluations."""
        return HttpResponseRedirect(reverse("admin:knowledge_ragevaluation_report", args=[object_id]))

    @admin.action(description="Archive", permissions=["change"])
    def archive(self, request, queryset):
        for collection in queryset:
            archive_collection(collection)

    @admin.action(description="Restore", permissions=["change"])
    def restore(self, request, queryset):
        for collection in queryset:
            restore_collection(collection)


@admin.register(Document)
class DocumentAdmin(BaseModelAdmin):
    """Documents uploaded here, with `manage.py ingest` or through the API. A job indexes them."""

    resource = "collections"
    icon = "description"
    position = 20
    list_display = ("__str__", "collection", "file_type", "status", "progress", "chunk_count", "updated_at")
    list_filter = ("status", "file_type")
    search_fields = ("title", "filename", "source")
    fieldsets = (
        fieldset(None, "title", ("collection", "status", "progress"), "error_message", "warnings"),
        fieldset("File", "source", ("filename", "file_type", "file_size"), ("language", "checksum")),
        fieldset(
            "Origin", ("origin", "uploaded_by", "uploaded_at"), ("connector", "source_version"), "chunk_count"
        ),
        fieldset("Data", "metadata", collapse=True),
    )
    readonly_fields = (
        "collection", "status", "error_message", "warnings", "source", "filename", "file_type", "file_size",
        "checksum",
    )  # fmt: skip

    actions = ("read_again",)

    def get_urls(self):
        # CSRF protection would read the whole body to find its token before the size is checked.
        add = csrf_exempt(limit_body_size(self.admin_site.admin_view(self.add_view)))
        return [path("add/", add, name="knowledge_document_add"), *super().get_urls()]

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is None:
            kwargs["form"] = UploadForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request, obj=None):
        if obj is None:
            return [fieldset(None, "collection", "file", "title")]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request, obj=None):
        return super().get_readonly_fields(request, obj) if obj else ()

    def save_model(self, request, obj, form, change):
        if change:
            obj.metadata = keep_file_keys(obj.metadata, form.initial.get("metadata", obj.metadata))
            super().save_model(request, obj, form, change)
        else:
            upload_from_form(obj, form.cleaned_data)

    def delete_model(self, request, obj):
        delete_document(obj)

    @admin.display(description="Warnings", empty_value="None")
    def warnings(self, obj):
        """Return the parser's warnings, one per line."""
        lines = [(warning["message"],) for warning in list_warnings(obj.metadata)]
        return format_html_join(mark_safe("<br>"), "{}", lines)

    @admin.action(description="Reindex selected documents", permissions=["change"])
    def read_again(self, request, queryset):
        for document in queryset:
            reindex_document(document)


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyAdmin):
    resource = "collections"
    icon = "segment"
    position = 30
    paginator = BoundedPaginator
    list_display = ("document", "chunk_index", "context", "token_count", "embedding_model")
    search_fields = ("document__title__istartswith", "document__source__exact")
    search_help_text = "Start of a document title, or the exact source."
    fieldsets = (
        fieldset(None, ("collection", "document"), ("chunk_index", "page"), "context", "content"),
        fieldset("Indexing", ("token_count", "embedding_model", "language"), ("start", "end")),
        fieldset(
            "Meaning",
            "semantic_category",
            "semantic_summary",
            "semantic_keywords",
            "extracted_entities",
            "metadata",
            collapse=True,
        ),
    )


@admin.register(ChunkVectorDraft)
class ChunkVectorDraftAdmin(ReadOnlyAdmin):
    """Vectors computed for a pending change of the embedding model."""

    resource = "collections"
    icon = "scatter_plot"
    title = "Pending vectors"
    in_sidebar = False
    paginator = BoundedPaginator
    list_display = ("id", "collection", "embedding_model")
    fields = ("id", "collection", "embedding_model")
