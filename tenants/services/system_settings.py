"""Settings that platform staff change while the product runs.

Tenants read only public settings, so a setting acts for them only if it is public.
"""

from tenants.models import SystemSetting

# Text of a banner on each page of the console.
CONSOLE_NOTICE = "console.notice"


def get_system_setting(key: str) -> str:
    """Return the value of a setting, or an empty string if the open scope sees none."""
    return SystemSetting.objects.filter(key=key).values_list("value", flat=True).first() or ""
