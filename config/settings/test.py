"""Settings for tests: fixed secrets and a fast password hasher, but real PostgreSQL and roles."""

from .base import *  # noqa: F403
from .base import env

SECRET_KEY = "test-only-secret-key-that-guards-nothing-at-all-0123456789"  # noqa: S105
API_KEY_PEPPER = b"test-only-pepper"
CONCLAVE_KEKS = (
    "t2:dGVzdC1vbmx5LWtlay10d28tMDEyMzQ1Njc4OWFiY2Q=,t1:dGVzdC1vbmx5LWtlay1vbmUtMDEyMzQ1Njc4OWFiY2Q="
)
SCOPE_KEYS = "test-only-scope-key-that-proves-nothing-at-all"
KEK_FILE = None
# Tests write counted requests themselves, and check limits on requests where they mean to.
REQUEST_COUNT_SECONDS = 0
REQUEST_LEASE_SECONDS = 0
# Fake model servers listen on any port.
MODEL_NETWORKS = ["127.0.0.0/8", "::1/128"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if not env("MEDIA_ROOT", default=""):  # tests that start other processes share a directory with them
    STORAGES = STORAGES | {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}  # noqa: F405
