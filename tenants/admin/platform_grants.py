"""Base admin of rows that platform staff add to an organisation."""

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from config.admin.bases import BaseModelAdmin
from config.admin.forms import BaseModelForm
from tenants.models import Tenant


class PlatformGrantForm(BaseModelForm):
    """Form for a new row, in which platform staff choose the organisation."""

    organisation = forms.ModelChoiceField(
        Tenant.objects.none(),
        widget=UnfoldAdminSelectWidget,
        help_text="Organisation that receives the row.",
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["organisation"].queryset = Tenant.objects.order_by("name")

    def _post_clean(self):
        self.instance.tenant = self.cleaned_data.get("organisation")
        super()._post_clean()


class PlatformGrantAdmin(BaseModelAdmin):
    """Base admin of rows that platform staff add to an organisation.

    `platform_form` replaces `form` in the platform scope when a row is added.
    """

    platform_adds = True
    platform_form = PlatformGrantForm

    def get_fieldsets(self, request, obj=None):
        sets = super().get_fieldsets(request, obj)
        asks = obj is None and request.console.is_platform
        return [("Where", {"fields": ["organisation"]}), *sets] if asks else sets

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is None and request.console.is_platform:
            kwargs["form"] = self.platform_form
        return super().get_form(request, obj, change=change, **kwargs)
