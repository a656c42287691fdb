"""Settings shared by every deployment. Each variable is documented in `.env.example`."""

import os
from pathlib import Path

import environ

from config.db.embedded import embedded_settings
from config.db.processes import OWNER, WEB, WORKER
from config.settings.files import file_storages
from config.settings.logs import logging_settings

from .console import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()
if (BASE_DIR / ".env").is_file():
    env.read_env(str(BASE_DIR / ".env"), overwrite=False)

VAR_DIR = Path(env("CONCLAVE_VAR", default=str(BASE_DIR / "var")))
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "config.apps.ConfigConfig",
    "config.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "tenants",
    "accounts",
    "audit",
    "knowledge",
    "agents",
    "conversations",
    "workflows",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "procrastinate.contrib.django",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "corsheaders",
    "csp",
    "django_structlog",
]

MIDDLEWARE = [
    "config.middleware.RequestIdMiddleware",
    "config.observability.middleware.TraceMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.middleware.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "config.middleware.LogMiddleware",
    "tenants.middleware.TenantScopeMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.admin.navigation.look",
            ]
        },
    }
]

# One login role per process; each scope then wears one hat of it (config/db/backend).
LOGIN = env("CONCLAVE_LOGIN", default=WEB)


def database_for(login: str) -> dict[str, object]:
    """The connection of one login role: an external server by URL, else the embedded one."""
    external = env.str("DATABASE_URL", default="")
    variable = {OWNER: "DATABASE_OWNER_URL", WORKER: "DATABASE_WORKER_URL"}.get(login, "DATABASE_URL")
    if login == WORKER and not env.str(variable, default=""):
        variable = "DATABASE_URL"
    fields = env.db_url(variable) if external else embedded_settings(login)
    # Plans are kept per connection, which a transaction pooler hands to others.
    prepare = env.bool("DATABASE_PREPARE", default=not external)
    kept = env.int("CONN_MAX_AGE", default=60)
    options = {**fields.get("OPTIONS", {}), "prepare_threshold": 3 if prepare else None}
    # Threads share the process's connections: a burst waits for one instead of opening more than the server allows.
    most = env.int("DATABASE_POOL", default=0)
    if most and login != OWNER:
        options["pool"] = {"min_size": 0, "max_size": most, "timeout": 10, "max_idle": max(kept, 1)}
    return {
        **fields,
        "OPTIONS": options,
        "ENGINE": "config.db.backend",
        "CONN_MAX_AGE": 0 if "pool" in options else kept,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "TEST": {"NAME": env("CONCLAVE_TEST_DB", default="test_conclave"), "MIGRATE": True},
    }


DATABASES = {"default": database_for(LOGIN)}
DATABASE_OWNER = database_for(OWNER)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PARTITIONS_AHEAD = env.int("PARTITIONS_AHEAD", default=3)
SEARCH_RERANKER = env("SEARCH_RERANKER", default="")
VECTOR_PARTITION_ROWS = env.int("VECTOR_PARTITION_ROWS", default=10_000)

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
SIGNUP_OPEN = env.bool("SIGNUP_OPEN", default=False)
MFA_ADAPTER = "accounts.adapters.MfaAdapter"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = env("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
MEDIA_ROOT = env("MEDIA_ROOT", default=str(VAR_DIR / "files"))
STORAGES = file_storages(env)
EMAIL_BACKEND = env("EMAIL_BACKEND", default="django.core.mail.backends.console.EmailBackend")

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

CONCLAVE_KEKS = env("CONCLAVE_KEKS", default="")
IDEMPOTENCY_KEY_MODEL = "tenants.IdempotencyKey"
IDEMPOTENCY_KEEP_HOURS = env.int("IDEMPOTENCY_KEEP_HOURS", default=24)
# Subdomains of this domain name a tenant: acme.example.org.
TENANT_DOMAIN = env("TENANT_DOMAIN", default="")
API_MAX_BODY_BYTES = env.int("API_MAX_BODY_BYTES", default=1024 * 1024)
API_DEFAULT_RATE = env.int("API_DEFAULT_RATE", default=600)
# Networks that endpoints of models may lie in besides public addresses: this machine, for Ollama and the like.
MODEL_NETWORKS = env.list("MODEL_NETWORKS", default=["127.0.0.0/8", "::1/128"])
# A proxy that all calls to models go through; proxies of the environment are not used for them.
MODEL_PROXY = env("MODEL_PROXY", default="")
# Networks that pages may be fetched from besides public addresses, by agents and as documents, and ports besides 80
# and 443.
FETCH_NETWORKS = env.list("FETCH_NETWORKS", default=[])
FETCH_PORTS = env.list("FETCH_PORTS", cast=int, default=[])
FETCH_MAX_BYTES = env.int("FETCH_MAX_BYTES", default=2 * 1024 * 1024)
FETCH_SECONDS = env.int("FETCH_SECONDS", default=20)
# Files and folders that MCP servers started here may read, besides the system's programs and libraries.
MCP_SANDBOX_READ = env.list("MCP_SANDBOX_READ", default=[])
# Whether they run where the machine cannot isolate them: they can then read and reach what this process can.
MCP_UNSANDBOXED = env.bool("MCP_UNSANDBOXED", default=False)
# What an MCP server may use, whatever a tenant asks for.
MCP_MAX_SECONDS = env.int("MCP_MAX_SECONDS", default=120)
MCP_MAX_MEMORY_MB = env.int("MCP_MAX_MEMORY_MB", default=1024)
MCP_MAX_CALLS_PER_MINUTE = env.int("MCP_MAX_CALLS_PER_MINUTE", default=120)
# How templates of the market are paid: "manual" or "stripe".
PAYMENT_ADAPTER = env("PAYMENT_ADAPTER", default="manual")
PAYMENT_RETURN_URL = env("PAYMENT_RETURN_URL", default="http://127.0.0.1:8000/console/")
STRIPE_SECRET_KEY = env("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_URL = env("STRIPE_URL", default="https://api.stripe.com")
STRIPE_LIVE = env.bool("STRIPE_LIVE", default=False)
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=50 * 1024 * 1024)
# What agents read of the files of a conversation, in characters for each question.
ATTACHMENT_CHARACTERS = env.int("ATTACHMENT_CHARACTERS", default=20_000)
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=1024 * 1024 * 1024)
# Files are parsed in processes of their own, so many at a time in each worker and with so much each.
PARSE_PROCESSES = env.int("PARSE_PROCESSES", default=1)
PARSE_MEMORY_MB = env.int("PARSE_MEMORY_MB", default=384)
PARSE_SECONDS = env.int("PARSE_SECONDS", default=60)
STREAMS_PER_PROCESS = env.int("STREAMS_PER_PROCESS", default=32)
# After this long without a message a session gets its summary; 0: only when a person ends it.
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=30)
# Embedder that makes one's conversations searchable; empty: MiniLM where it is installed, else by words.
MESSAGE_EMBEDDER = env("MESSAGE_EMBEDDER", default="")
# An endpoint that speaks OpenAI's embeddings, and its models with the length of their vectors: NAME=1536,OTHER=1024.
EMBEDDINGS_URL = env("EMBEDDINGS_URL", default="")
EMBEDDINGS_KEY = env("EMBEDDINGS_KEY", default="")
EMBEDDINGS_MODELS = env.dict("EMBEDDINGS_MODELS", default={})
# An endpoint that speaks OpenAI's chat, whose model says what chunks are about in collections that ask for it.
ENRICHMENT_URL = env("ENRICHMENT_URL", default="")
ENRICHMENT_KEY = env("ENRICHMENT_KEY", default="")
ENRICHMENT_MODEL = env("ENRICHMENT_MODEL", default="")
# How long a tool's call waits for a person before it is refused.
APPROVAL_DAYS = env.int("APPROVAL_DAYS", default=7)
# How long after its last sign of life the answer of a dead process is taken over by another.
ANSWER_LEASE_SECONDS = env.int("ANSWER_LEASE_SECONDS", default=30)
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=4)
WORKER_LISTEN = env.bool("WORKER_LISTEN", default=True)
AUDIT_SEAL_FILE = env("AUDIT_SEAL_FILE", default=str(VAR_DIR / "audit-seals.jsonl"))

# The framework reaches the apps by dotted path alone; it imports none of them.
API_APPS = ["tenants", "accounts", "audit", "knowledge", "agents", "conversations", "workflows"]
CONSOLE_ACCESS = "accounts.admin.access"
CONSOLE_DASHBOARD = "conversations.admin.dashboard.dashboard"
WARM_UP = ["conversations.runtime.loop.warm_up"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.ApiKeyAuthentication",
        "accounts.api.authentication.ScopedSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["config.api.permissions.ResourcePermission"],
    "DEFAULT_THROTTLE_CLASSES": ["config.api.throttling.KeyRateThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.renderers.ORJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.api.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "config.api.filters.OrderingFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "config.api.schema.ConclaveSchema",
    "EXCEPTION_HANDLER": "config.api.exceptions.problem_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Conclave API",
    "DESCRIPTION": "System of record and control plane for AI agents.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    # Enumerated values stand where they are used: many fields are called `status`, each with values of its own.
    "PREPROCESSING_HOOKS": ["config.api.schema.api_alone"],
    "POSTPROCESSING_HOOKS": ["config.api.schema.loosen_answers"],
}
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        # Alpine, which unfold's pages are built on, evaluates expressions of attributes.
        "script-src": ["'self'", "'unsafe-inline'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "worker-src": ["'self'", "blob:"],
        "frame-ancestors": ["'none'"],
    }
}
LOGGING = logging_settings(env("LOG_LEVEL", default="INFO"), as_json=env.bool("LOG_JSON", default=False))
# RequestIdMiddleware has checked or made it: the log, the answer and the audit log name one id.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
PROCRASTINATE_ON_APP_READY = None
os.environ.setdefault("DO_NOT_TRACK", "1")
