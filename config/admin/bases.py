"""Base admin classes: scoped rows, permissions by scope, database errors as form errors."""

from django.contrib import messages
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models, transaction
from django.db.models.expressions import DatabaseDefault
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminExpandableTextareaWidget, UnfoldAdminPasswordWidget

from config.admin.deletions import record_bulk_deletion
from config.admin.errors import to_validation_error
from config.admin.filters import TenantFilter
from config.admin.forms import BaseModelForm
from config.admin.history import render_history
from config.admin.json_fields import json_field_kwargs
from config.admin.name_resolution import ResolveIdsMixin
from config.admin.paginator import BoundedPaginator
from config.admin.permissions import ReadOnlyMixin, ScopedChoicesMixin, ScopePermissionMixin
from config.admin.secrets import add_secret_fields, apply_secrets, build_state_column, secret_names
from config.db.ids import uuid7
from config.db.partitions import PartitionedMixin
from config.encryption.fields import EncryptedField, encrypted_fields
from config.tenancy.models import SoftDeleteMixin, TenantModel

RECORD_FIELDS = ("id", "created_at", "updated_at")


def fieldset(title, *fields, collapse=False):
    """Return a fieldset in Django's format.

    Fields in a tuple share a line of the form.
    """
    return title, {"fields": fields, **({"classes": ["collapse"]} if collapse else {})}


class BaseModelAdmin(ScopePermissionMixin, ScopedChoicesMixin, ModelAdmin):
    """Admin of the rows in the current scope.

    Declare `resource` (the part before the colon in scopes such as `agents:read`), `icon`, and Django's
    attributes. `owner` names the field that stores the creator of a row.
    """

    form = BaseModelForm
    formfield_overrides = {
        models.JSONField: {"widget": UnfoldAdminExpandableTextareaWidget},
        models.TextField: {"widget": UnfoldAdminExpandableTextareaWidget},
    }
    icon = "database"
    # Sidebar entry: title (by default the model's), position, and whether it is shown.
    title = ""
    position = 50
    in_sidebar = True
    owner = ""
    # Whether rows can be added in the platform scope; the form then asks for the tenant.
    platform_adds = False
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True
    object_history_template = "console/history.html"

    def __init__(self, model, admin_site):
        super().__init__(model, admin_site)
        if encrypted_fields(model):
            self.form = add_secret_fields(self.form, model, UnfoldAdminPasswordWidget)
        for field in encrypted_fields(model):
            setattr(self, f"{field.name}_state", build_state_column(field))
        if issubclass(model, PartitionedMixin):
            self.paginator = BoundedPaginator

    # -- permissions -------------------------------------------------------------------------------------

    def has_module_permission(self, request):
        return self.has_view_permission(request)

    def has_add_permission(self, request, obj=None):
        access = getattr(request, "console", None)
        tenantless = access is not None and access.is_platform and issubclass(self.model, TenantModel)
        return super().has_add_permission(request) and (self.platform_adds or not tenantless)

    def has_export_permission(self, request):
        return self.has_view_permission(request)

    # -- rows --------------------------------------------------------------------------------------------

    def get_queryset(self, request):
        ordering = self.get_ordering(request)
        rows = self.model.objects.all()
        return rows.order_by(*ordering) if ordering else rows

    def get_object(self, request, object_id, from_field=None):
        request.current_object = super().get_object(request, object_id, from_field)
        return request.current_object

    def _get_obj_does_not_exist_redirect(self, request, opts, object_id):
        raise Http404("Not found.")

    def get_list_select_related(self, request):
        shown = [*self.get_list_display(request), *(self.list_select_related or ())]
        relations = {field.name for field in self.model._meta.fields if field.is_relation}
        return [
            name
            for name in dict.fromkeys(shown)
            if isinstance(name, str) and name.split("__")[0] in relations
        ]

    def get_list_display(self, request):
        shown = list(super().get_list_display(request))
        return [*shown, self._tenant_column()] if _spans_tenants(request, self.model) else shown

    def get_list_filter(self, request):
        filters = list(super().get_list_filter(request))
        return [TenantFilter, *filters] if _spans_tenants(request, self.model) else filters

    def _tenant_column(self):
        return "tenant" if "tenant" in {field.name for field in self.model._meta.fields} else "tenant_id"

    # -- forms -------------------------------------------------------------------------------------------

    def get_fieldsets(self, request, obj=None):
        declared = list(super().get_fieldsets(request, obj))
        writable = self._writable(request, obj)
        secret = secret_names(self.model, writable=writable)
        sets = [
            (title, {**options, "fields": _rename_fields(options["fields"], secret)})
            for title, options in declared
        ]
        if writable:
            fixed = self.get_readonly_fields(request, obj)
            sets = [
                (title, {**options, "fields": self._split_wide_rows(options["fields"], fixed)})
                for title, options in sets
            ]
        if obj is None:
            fixed = self.get_readonly_fields(request)
            open_sets = [(title, _exclude_fields(options, fixed)) for title, options in sets]
            return [(title, options) for title, options in open_sets if options["fields"]]
        if any(name in flatten_fieldsets(sets) for name in RECORD_FIELDS):
            return sets
        tenant = [self._tenant_column()] if _spans_tenants(request, self.model) else []
        record = [field.name for field in self.model._meta.fields if field.name in RECORD_FIELDS]
        return [*sets, ("Record", {"fields": [*tenant, *record], "classes": ["collapse"]})]

    def _split_wide_rows(self, rows, fixed):
        """Move wide fields (date-times, foreign keys among three or more) to separate rows."""
        made = []
        for row in rows:
            names = row if isinstance(row, (list, tuple)) else (row,)
            alone = [name for name in names if name not in fixed and self._is_wide(name, len(names))]
            beside = tuple(name for name in names if name not in alone)
            made += [*([beside if len(beside) > 1 else beside[0]] if beside else []), *alone]
        return made

    def _is_wide(self, name, beside):
        field = next((field for field in self.model._meta.fields if field.name == name), None)
        return isinstance(field, models.DateTimeField) or (
            isinstance(field, models.ForeignKey) and beside > 2
        )

    def get_fields(self, request, obj=None):
        if self.fields:
            return self.fields
        hidden = {*RECORD_FIELDS, "tenant", "deleted_at", *self.exclude_always()}
        return [field.name for field in self.model._meta.fields if field.name not in hidden]

    def exclude_always(self) -> tuple[str, ...]:
        """Return the fields that no page shows: bytes and vectors."""
        return tuple(
            field.name
            for field in self.model._meta.fields
            if field.get_internal_type() in {"BinaryField", "HalfVectorField", "SearchVectorField"}
            and not isinstance(field, EncryptedField)
        )

    def get_readonly_fields(self, request, obj=None):
        uneditable = {field.name for field in self.model._meta.fields if not field.editable}
        readonly = list(super().get_readonly_fields(request, obj))
        states = [f"{field.name}_state" for field in encrypted_fields(self.model)]
        return [*readonly, *(name for name in sorted(uneditable) if name not in readonly), *states]

    def get_prepopulated_fields(self, request, obj=None):
        # A prepopulated field must be in the form, and an existing row keeps its slug.
        editable = obj is None and self._writable(request, obj)
        return super().get_prepopulated_fields(request, obj) if editable else {}

    def _writable(self, request, obj):
        return self.has_change_permission(request, obj) if obj else self.has_add_permission(request)

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if isinstance(db_field, models.URLField):
            kwargs.setdefault("assume_scheme", "https")
        if isinstance(db_field, models.JSONField):
            kwargs = {**json_field_kwargs(db_field), **kwargs}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.database_error = getattr(request, "database_error", None)
        return form

    # -- writing -----------------------------------------------------------------------------------------

    def save_model(self, request, obj, form, change):
        apply_secrets(obj, form.cleaned_data)
        if (
            self.owner
            and not change
            and getattr(obj, f"{self.owner}_id") is None
            and not request.console.is_platform
        ):
            setattr(obj, f"{self.owner}_id", request.user.pk)
        super().save_model(request, obj, form, change)

    def get_formset_kwargs(self, request, obj, inline, prefix):
        if isinstance(obj.pk, DatabaseDefault):
            # Inlines of a new row need its ID before the database assigns one.
            obj.pk = uuid7()
        return super().get_formset_kwargs(request, obj, inline, prefix)

    def save_formset(self, request, form, formset, change):
        for row in formset.save(commit=False):
            if isinstance(row, TenantModel):
                row.tenant_id = form.instance.tenant_id
            row.save()
        for row in formset.deleted_objects:
            row.delete()

    def delete_model(self, request, obj):
        obj.soft_delete() if isinstance(obj, SoftDeleteMixin) else obj.delete()

    def delete_queryset(self, request, queryset):
        rows = list(queryset)
        for obj in rows:
            self.delete_model(request, obj)
        record_bulk_deletion(self.model, len(rows))

    def get_deleted_objects(self, objs, request):
        if issubclass(self.model, SoftDeleteMixin):
            # A soft delete does not cascade.
            return [str(obj) for obj in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []
        shown, counts, _, protected = super().get_deleted_objects(objs, request)
        # Deleting a row implies deleting the rows it owns, because the database cascades anyway.
        return shown, counts, set(), protected

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        if request.method == "POST":
            try:
                with transaction.atomic():
                    return super().changeform_view(request, object_id, form_url, extra_context)
            except DatabaseError as error:
                request.database_error = to_validation_error(error, self.model)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request, object_id, extra_context=None):
        return self._report_errors(request, super().delete_view, object_id, extra_context)

    def changelist_view(self, request, extra_context=None):
        return self._report_errors(request, super().changelist_view, extra_context)

    def _report_errors(self, request, view, *args):
        if request.method != "POST":
            return view(request, *args)
        try:
            with transaction.atomic():
                response = view(request, *args)
                if hasattr(response, "render") and not response.is_rendered:
                    response.render()
                return response
        except (DatabaseError, ValidationError) as error:
            refusal = error if isinstance(error, ValidationError) else to_validation_error(error, self.model)
            self.message_user(request, " ".join(refusal.messages), messages.ERROR)
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            )

    # -- history: the audit trigger writes it ----------------------------------------------------------------

    def log_addition(self, request, obj, message):
        """Do nothing: the audit trigger records it."""

    def log_change(self, request, obj, message):
        """Do nothing: the audit trigger records it."""

    def log_deletions(self, request, queryset):
        """Do nothing: the audit trigger records it."""

    def history_view(self, request, object_id, extra_context=None):
        return render_history(self, request, object_id, extra_context)


class ReadOnlyAdmin(ResolveIdsMixin, ReadOnlyMixin, BaseModelAdmin):
    """Admin of rows that only the system writes.

    It shows the names of the IDs in `named_ids`.
    """

    sortable_by = ()
    warn_unsaved_form = False


def _spans_tenants(request, model):
    access = getattr(request, "console", None)
    names = {field.attname for field in model._meta.fields}
    return access is not None and access.is_platform and "tenant_id" in names


def _exclude_fields(options, names):
    kept = [name for name in flatten_fieldsets([("", options)]) if name not in names]
    return {**options, "fields": kept}


def _rename_fields(fields, names):
    if isinstance(fields, str):
        return names.get(fields, fields)
    return type(fields)(_rename_fields(field, names) for field in fields)
