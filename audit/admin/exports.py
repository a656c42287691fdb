"""Export of changelist rows; the console does not import."""

from import_export.admin import ExportMixin
from import_export.resources import ModelResource, modelresource_factory
from unfold.contrib.import_export.forms import ExportForm

from audit.services import record_event

MAX_ROWS = 10_000


class BaseResource(ModelResource):
    """Export resource that omits binary and encrypted fields."""


class AuditedExportMixin(ExportMixin):
    """Mixin that exports the filtered rows of a changelist, up to `LIMIT`."""

    export_form_class = ExportForm
    export_exclude: tuple[str, ...] = ()

    def get_export_resource_classes(self, request):
        hidden = [
            field.name
            for field in self.model._meta.fields
            if field.get_internal_type() in {"BinaryField", "HalfVectorField", "SearchVectorField"}
        ]
        options = {"exclude": [*hidden, *self.export_exclude]}
        return [modelresource_factory(self.model, resource_class=BaseResource, meta_options=options)]

    def _do_file_export(self, file_format, request, queryset, export_form=None):
        details = {"table": self.model._meta.label_lower, "format": file_format.get_title()}
        record_event("rows.exported", metadata=details)
        return super()._do_file_export(file_format, request, queryset, export_form)

    def get_export_queryset(self, request):
        return super().get_export_queryset(request)[:MAX_ROWS]
