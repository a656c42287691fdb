"""Settings for a single machine: embedded PostgreSQL, secrets generated in `var/`."""

from .base import *  # noqa: F403
from .base import VAR_DIR, env
from .secrets import local_secret

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="") or local_secret(VAR_DIR / "secret_key")
API_KEY_PEPPER = (env("API_KEY_PEPPER", default="") or local_secret(VAR_DIR / "api_key_pepper")).encode()
SCOPE_KEYS = env("CONCLAVE_SCOPE_KEYS", default="") or local_secret(VAR_DIR / "scope_keys")
KEK_FILE = VAR_DIR / "keks"
