"""Permissions of admin pages and choices of foreign keys."""

from django.db import models

from config.db.session import current_scope
from config.tenancy.models import SoftDeleteMixin, TenantModel


def granted_verbs(model: type[models.Model], *, platform: bool) -> frozenset[str]:
    """Return the SQL commands that row-level security allows the scope on the table."""
    if getattr(model, "is_report", False):
        return frozenset({"SELECT"})
    rule = next((rule for rule in model._meta.constraints if hasattr(rule, "options")), None)
    text = rule.options["operator" if platform else "verbs"] if rule is not None else ""
    return frozenset(verb.strip() for verb in text.split(",") if verb.strip())


class ScopePermissionMixin:
    """Checks permissions by the scopes of the request, limited to what the table grants."""

    model: type[models.Model]
    resource = ""

    def _may(self, request, verb, privilege):
        access = getattr(request, "console", None)
        return (
            access is not None
            and access.allows(self.resource, verb)
            and privilege in granted_verbs(self.model, platform=access.is_platform)
        )

    def has_view_permission(self, request, obj=None):
        return self._may(request, "read", "SELECT")

    def has_add_permission(self, request, obj=None):
        return self._may(request, "write", "INSERT")

    def has_change_permission(self, request, obj=None):
        return self._may(request, "write", "UPDATE")

    def has_delete_permission(self, request, obj=None):
        return self._may(request, "write", "UPDATE" if issubclass(self.model, SoftDeleteMixin) else "DELETE")


class ReadOnlyMixin:
    """Denies all writes. List it before the class that grants permissions."""

    def _deny(self, request, obj=None):
        return False

    has_add_permission = has_change_permission = has_delete_permission = _deny


class OwnerOnlyChangesMixin:
    """Mixin that makes other users' rows read-only outside the platform scope."""

    def _own(self, request, obj):
        return obj is None or request.console.is_platform or obj.user_id == request.user.pk

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and self._own(request, obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and self._own(request, obj)


def _filter_by_tenant(rows, tenant_id):
    """Filter `rows` to those that rows of the tenant can refer to."""
    if issubclass(rows.model, TenantModel):
        return rows.filter(tenant_id=tenant_id)
    names = {field.name for field in rows.model._meta.get_fields()}
    if "memberships" in names and rows.model._meta.label_lower != "tenants.tenant":
        return rows.filter(memberships__tenant_id=tenant_id)
    if {"owner", "is_public"} <= names:
        return rows.filter(models.Q(is_public=True) | models.Q(owner_id=tenant_id))
    return rows


class ScopedChoicesMixin:
    """Limits foreign key choices to the scope or to the object's tenant."""

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        target = db_field.related_model
        rows = target.objects.all()
        tenant_id = getattr(getattr(request, "current_object", None), "tenant_id", None)
        scope = current_scope()
        if tenant_id and scope and scope.tenant_id is None:
            rows = _filter_by_tenant(rows, tenant_id)
        kwargs.setdefault("queryset", rows)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_autocomplete_fields(self, request):
        return [
            field.name
            for field in self.model._meta.fields
            if isinstance(field, models.ForeignKey)
            and field.editable
            and getattr(self.admin_site._registry.get(field.related_model), "search_fields", ())
        ]
