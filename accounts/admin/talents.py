"""Skills and availability of people."""

from django.contrib import admin

from accounts.models import Talent
from config.admin.bases import BaseModelAdmin, fieldset


@admin.register(Talent)
class TalentAdmin(BaseModelAdmin):
    resource = "talents"
    icon = "engineering"
    position = 45
    list_display = ("user", "skill_list", "experience_years", "availability", "rate", "updated_at")
    list_filter = ("availability",)
    search_fields = ("user__email", "user__first_name", "user__last_name")
    fieldsets = (
        fieldset(None, "user", "skills"),
        fieldset("Terms", ("availability", "experience_years"), "rate"),
    )

    @admin.display(description="Skills")
    def skill_list(self, obj):
        return ", ".join(map(str, obj.skills[:5]))
