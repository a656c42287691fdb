"""Settings for deployment behind TLS. All secrets must come from the environment."""

from .base import *  # noqa: F403
from .base import env
from .logs import logging_settings

SECRET_KEY = env("SECRET_KEY")
API_KEY_PEPPER = env("API_KEY_PEPPER").encode()
CONCLAVE_KEKS = env("CONCLAVE_KEKS")
SCOPE_KEYS = env("CONCLAVE_SCOPE_KEYS")
KEK_FILE = None
MODEL_HOSTS = env.list("MODEL_HOSTS", default=[])
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31536000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
LOGGING = logging_settings(env("LOG_LEVEL", default="INFO"), as_json=env.bool("LOG_JSON", default=True))
