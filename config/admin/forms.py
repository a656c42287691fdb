"""The base form of the console."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from config.db.session import current_scope
from config.tenancy.models import TenantModel


class BaseModelForm(forms.ModelForm):
    """Model form that sets the tenant before validation and shows database errors."""

    database_error: ValidationError | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scope = current_scope()
        if isinstance(self.instance, TenantModel) and self.instance.tenant_id is None and scope:
            self.instance.tenant_id = scope.tenant_id

    def _get_validation_exclusions(self) -> set[str]:
        excluded = super()._get_validation_exclusions()
        if getattr(self.instance, "tenant_id", None):
            # Unique constraints include the tenant; excluding it would skip their validation.
            excluded.discard("tenant")
        return excluded

    def clean(self) -> Any:
        cleaned = super().clean()
        if self.database_error is not None:
            fields = self.database_error.message_dict
            raise ValidationError(
                fields if fields.keys() <= self.fields.keys() else self.database_error.messages
            )
        return cleaned
