"""Settings of the control, which sets the tenant for the session."""

from config.tests.pooled.policies_alone import *  # noqa: F403
from config.tests.pooled.policies_alone import DATABASES

DATABASES = {"default": {**DATABASES["default"], "ENGINE": "config.tests.pooled"}}
