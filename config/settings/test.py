"""The test run: throw-away secrets, a cheap password hasher, the real PostgreSQL and the real roles."""

from .base import *  # noqa: F403
from .base import env

SECRET_KEY = "test-only-secret-key-that-guards-nothing-at-all-0123456789"  # noqa: S105
API_KEY_PEPPER = b"test-only-pepper"
CONCLAVE_KEKS = (
    "t2:dGVzdC1vbmx5LWtlay10d28tMDEyMzQ1Njc4OWFiY2Q=,t1:dGVzdC1vbmx5LWtlay1vbmUtMDEyMzQ1Njc4OWFiY2Q="
)
KEK_FILE = None
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if not env("MEDIA_ROOT", default=""):  # a test that starts other processes shares a folder with them
    STORAGES = STORAGES | {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}  # noqa: F405
