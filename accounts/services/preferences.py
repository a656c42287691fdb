"""Theme, language and time zone that each user chooses in the user settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils import timezone, translation

from accounts.models import UserSettings


@dataclass(frozen=True, slots=True)
class Preferences:
    """Theme, language and time zone of a user; an empty one is the default of the installation."""

    theme: str = ""
    language: str = ""
    timezone: str = ""

    @classmethod
    def of(cls, settings: UserSettings | None) -> Self:
        """Return the preferences in the settings."""
        return cls(settings.theme, settings.language, settings.timezone) if settings else cls()

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone, or None if it is unknown to this machine."""
        try:
            return ZoneInfo(self.timezone) if self.timezone else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return None

    @property
    def locale(self) -> str:
        """The supported language, or that of the installation."""
        try:
            return translation.get_supported_language_variant(self.language)
        except LookupError:
            return settings.LANGUAGE_CODE

    @contextmanager
    def activated(self) -> Iterator[None]:
        """Use language and time zone in Django's translations and dates inside the block."""
        with translation.override(self.locale), timezone.override(self.zone):
            yield


def get_preferences(user_id: UUID | None) -> Preferences:
    """Return the preferences of a user in the tenant of the open scope."""
    if user_id is None:
        return Preferences()
    chosen = UserSettings.objects.filter(user_id=user_id).values_list("theme", "language", "timezone").first()
    return Preferences(*chosen) if chosen else Preferences()


def get_language(user_id: UUID | None) -> str:
    """Return the language of Django's messages for a user in the tenant of the open scope."""
    return get_preferences(user_id).locale
