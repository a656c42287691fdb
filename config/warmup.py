"""Imports slow modules before they are needed."""

from django.conf import settings
from django.utils.module_loading import import_string


def warm_up() -> None:
    """Run the functions of the setting `WARM_UP`, which import modules that take seconds to load."""
    for path in settings.WARM_UP:
        import_string(path)()
