"""Choice of the account that searches the web for a user.

`Tenant.settings["web_search"]` holds `provider`: a service, or `disabled`.
"""

from typing import Any
from uuid import UUID

from accounts.choices import WebSearchChoice
from accounts.models import UserSettings
from agents.choices import WebSearchProvider
from agents.models import Integration
from config.tenancy.scope import require_tenant_id
from tenants.models import Tenant
from tenants.services.system_settings import get_system_setting

# Key of a system setting with the same values.
SYSTEM_SETTING = "web_search.provider"


class WebSearchUnavailableError(LookupError):
    """The user cannot search the web; the message says why."""


def choose_search_account(user_id: UUID | None) -> Integration:
    """Return the account that searches for the user, in the open scope.

    The platform, the organisation and the user can each disable the search or choose the service; a choice of the
    platform precedes that of the organisation, and this that of the user. Accounts that the user added precede others.

    Raises:
        WebSearchUnavailableError: the search is disabled, or the organisation has no account at the service.
    """
    stored: Any = Tenant.objects.values_list("settings", flat=True).get(pk=require_tenant_id())
    section = stored.get("web_search") if isinstance(stored, dict) else None
    person = UserSettings.objects.filter(user_id=user_id).values_list("web_search_provider", flat=True)
    choices = {
        "for this installation": get_system_setting(SYSTEM_SETTING),
        "in the organisation": section.get("provider", "") if isinstance(section, dict) else "",
        "in the user settings": person.first() if user_id else "",
    }
    for place, choice in choices.items():
        if choice == WebSearchChoice.DISABLED:
            raise WebSearchUnavailableError(f"Web search is disabled {place}.")
    service = next((each for each in choices.values() if each in WebSearchProvider.values), None)
    wanted = [service] if service else WebSearchProvider.values
    accounts = list(Integration.objects.filter(platform__in=wanted).order_by("name"))
    if not accounts:
        raise WebSearchUnavailableError(f"Web search needs an integration with {' or '.join(wanted)}.")
    return next((each for each in accounts if user_id and each.user_id == user_id), accounts[0])
