"""Base classes of inlines."""

from django.contrib.admin.utils import flatten_fieldsets
from unfold.admin import TabularInline

from config.admin.forms import BaseModelForm
from config.admin.permissions import ReadOnlyMixin, ScopedChoicesMixin, ScopePermissionMixin


class BaseInline(ScopePermissionMixin, ScopedChoicesMixin, TabularInline):
    """Tabular inline with the permissions and scoped choices of the console."""

    form = BaseModelForm
    extra = 0
    hide_title = True

    def get_queryset(self, request):
        shown = flatten_fieldsets(self.get_fieldsets(request))
        related = [
            field.name for field in self.model._meta.fields if field.is_relation and field.name in shown
        ]
        rows = self.model.objects.order_by(*self.get_ordering(request))
        return rows.select_related(*related) if related else rows


class ReadOnlyInline(ReadOnlyMixin, BaseInline):
    """Inline of rows that only the system writes."""

    can_delete = False
    per_page = 20
    show_change_link = True

    def get_readonly_fields(self, request, obj=None):
        return self.fields
