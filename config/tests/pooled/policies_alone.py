"""Settings without the tenant filters of managers."""

from config.settings.test import *  # noqa: F403
from config.settings.test import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "config.tests.pooled.apps.PoliciesAlone"]
