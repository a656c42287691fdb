"""Admin of terms."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.inlines import BaseInline
from config.admin.permissions import OwnerOnlyChangesMixin
from knowledge.models import Term, TermEmbedding, TermRelation
from knowledge.services.terminology import embed_new_terms


class RelationInline(BaseInline):
    model = TermRelation
    resource = "terms"
    fk_name = "term"
    fields = ("related", "kind")
    verbose_name = "related term"
    verbose_name_plural = "Related terms"


@admin.register(Term)
class TermAdmin(OwnerOnlyChangesMixin, BaseModelAdmin):
    resource = "terms"
    icon = "dictionary"
    title = "Terminology"
    position = 50
    owner = "user"
    list_display = ("term", "context", "user", "is_public", "frequency", "last_used_at")
    list_filter = ("context", "is_public")
    search_fields = ("term", "definition")
    inlines = (RelationInline,)
    fieldsets = (
        fieldset(None, "term", "definition", ("context", "is_public"), "user"),
        fieldset("Use", "usage_examples", ("frequency", "last_used_at"), "tags"),
    )
    readonly_fields = ("user",)

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        if form.instance.user_id == request.user.pk:
            embed_new_terms([form.instance])


@admin.register(TermRelation)
class TermRelationAdmin(BaseModelAdmin):
    """Relations of terms; users edit them on the page of the term."""

    resource = "terms"
    icon = "hub"
    title = "Related terms"
    in_sidebar = False
    list_display = ("term", "related", "kind", "created_at")
    list_filter = ("kind",)
    search_fields = ("term__term", "related__term")
    fieldsets = (fieldset(None, ("term", "related"), "kind"),)


@admin.register(TermEmbedding)
class TermEmbeddingAdmin(ReadOnlyAdmin):
    """Existing term vectors; their values are not shown."""

    resource = "terms"
    icon = "scatter_plot"
    title = "Term vectors"
    in_sidebar = False
    list_display = ("term", "embedding_model", "created_at")
    search_fields = ("term__term",)
    fields = ("term", "embedding_model")
