"""Export of changelist rows; the console does not import."""

from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, HTML, JSON, ODS, TSV, XLSX, YAML
from import_export.resources import ModelResource, modelresource_factory
from unfold.contrib.import_export.forms import ExportForm

from audit.services import record_event
from config.spreadsheet_cells import neutralize_cell

MAX_ROWS = 10_000


class NeutralizedCellsMixin:
    """Mixin of table formats whose cells no program evaluates."""

    def export_data(self, dataset, **kwargs):
        for _ in range(len(dataset)):
            dataset.append([neutralize_cell(cell) for cell in dataset.lpop()])
        return super().export_data(dataset, **kwargs)


TABLE_FORMATS = [
    type(base.__name__, (NeutralizedCellsMixin, base), {}) for base in (CSV, XLSX, TSV, ODS, HTML)
]


class BaseResource(ModelResource):
    """Export resource that omits binary and encrypted fields."""


class AuditedExportMixin(ExportMixin):
    """Mixin that exports the filtered rows of a changelist, up to `LIMIT`."""

    export_form_class = ExportForm
    export_formats = [each for each in (*TABLE_FORMATS, JSON, YAML) if each.is_available()]
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
