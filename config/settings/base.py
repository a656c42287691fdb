"""Settings shared by every deployment. Each variable is documented in `.env.example`."""

import os
from pathlib import Path

import environ
from csp.constants import NONCE, NONE, SELF

from config.api.slugs import SLUG_PATTERN
from config.postgres.logins import OWNER, WEB
from config.settings.embedding_models import read_models
from config.settings.files import file_storages
from config.settings.logs import logging_settings

from .console import *  # noqa: F403
from .databases import database_for

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
    "config.middleware.QueryLimitMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.CompressionMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.session_timeouts.SessionTimeoutMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "config.middleware.LogMiddleware",
    "tenants.middleware.TenantScopeMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader", "config.admin.template_loader.Loader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.admin.navigation.console_theme",
            ],
        },
    }
]

# The login of this process. Scopes use other logins (config/settings/databases.py).
LOGIN = env("CONCLAVE_LOGIN", default=WEB)
DATABASES = {"default": database_for(LOGIN)}
DATABASE_OWNER = database_for(OWNER)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PARTITIONS_AHEAD = env.int("PARTITIONS_AHEAD", default=3)
SEARCH_RERANKER = env("SEARCH_RERANKER", default="")
# Endpoint of a cross-encoder that reranks search results, in the format of `cohere`, `jina` or `tei`.
RERANKER_URL = env("RERANKER_URL", default="")
RERANKER_KEY = env("RERANKER_KEY", default="")
RERANKER_MODEL = env("RERANKER_MODEL", default="")
RERANKER_SHAPE = env("RERANKER_SHAPE", default="cohere")
RERANKER_TIMEOUT = env.float("RERANKER_TIMEOUT", default=2.0)
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
# Address of this installation in links of e-mails.
PUBLIC_URL = env("PUBLIC_URL", default="http://127.0.0.1:8000")
SIGNUP_OPEN = env.bool("SIGNUP_OPEN", default=False)
# Whether platform staff or an invitation must approve accounts of public sign-up.
SIGNUP_APPROVAL = env.bool("SIGNUP_APPROVAL", default=True)
MFA_ADAPTER = "accounts.adapters.MfaAdapter"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = env("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
MEDIA_ROOT = env("MEDIA_ROOT", default=str(VAR_DIR / "files"))
STORAGES = file_storages(env)
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="conclave@localhost")
EMAIL_HOST = env("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.int("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=10)
EMAIL_BACKEND = env("EMAIL_BACKEND", default="django.core.mail.backends.console.EmailBackend")

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SESSION_ENGINE = "config.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

CONCLAVE_KEKS = env("CONCLAVE_KEKS", default="")
# Keys that prove scopes to the database, separated by commas; the first one signs.
SCOPE_KEYS = env("CONCLAVE_SCOPE_KEYS", default="")
# Sign-out of users: minutes without a request, and hours after the sign-in. 0: no limit.
SIGN_IN_IDLE_MINUTES = env.int("SIGN_IN_IDLE_MINUTES", default=120)
SIGN_IN_MAX_HOURS = env.int("SIGN_IN_MAX_HOURS", default=12)
IDEMPOTENCY_KEY_MODEL = "tenants.IdempotencyKey"
# Seconds after which a process returns unused API requests that it leased from a limit. 0: no limit is checked.
REQUEST_LEASE_SECONDS = env.float("REQUEST_LEASE_SECONDS", default=5)
# Seconds between writes of the counted API requests; 0 does not count them.
REQUEST_COUNT_SECONDS = env.float("REQUEST_COUNT_SECONDS", default=5)
IDEMPOTENCY_KEEP_HOURS = env.int("IDEMPOTENCY_KEEP_HOURS", default=24)
# Subdomains of this domain select a tenant: acme.example.org.
TENANT_DOMAIN = env("TENANT_DOMAIN", default="")
API_MAX_BODY_BYTES = env.int("API_MAX_BODY_BYTES", default=1024 * 1024)
API_DEFAULT_RATE = env.int("API_DEFAULT_RATE", default=600)
# Highest rate limit of an API key, in requests per minute, unless the plan or the tenant sets another.
API_KEY_MAX_RATE = env.int("API_KEY_MAX_RATE", default=6000)
# Hosts with ports, besides public addresses, that model endpoints may use. Default: Ollama on this machine.
MODEL_HOSTS = env.list("MODEL_HOSTS", default=["127.0.0.1:11434", "[::1]:11434"])
# Networks, besides public addresses, that model endpoints may be in, with any port.
MODEL_NETWORKS = env.list("MODEL_NETWORKS", default=[])
# Proxy for all calls to models. Proxies from the environment are ignored.
MODEL_PROXY = env("MODEL_PROXY", default="")
# Networks, besides public addresses, and ports, besides 80 and 443, from which pages may be fetched by agents and as
# documents.
FETCH_NETWORKS = env.list("FETCH_NETWORKS", default=[])
FETCH_PORTS = env.list("FETCH_PORTS", cast=int, default=[])
# Folder with one folder for each tenant, named by its id, that connectors of the kinds folder and git may read.
# Empty: no server folder.
CONNECTORS_ROOT = env("CONNECTORS_ROOT", default="")
# Seconds after which a sync of a connector stops; the next one continues.
CONNECTOR_MAX_SECONDS = env.int("CONNECTOR_MAX_SECONDS", default=3600)
FETCH_MAX_BYTES = env.int("FETCH_MAX_BYTES", default=2 * 1024 * 1024)
FETCH_SECONDS = env.int("FETCH_SECONDS", default=20)
# Files and directories that local MCP servers may read, besides system binaries and libraries.
MCP_SANDBOX_READ = env.list("MCP_SANDBOX_READ", default=[])
# Run local MCP servers even if the machine cannot sandbox them. They then have this process's access.
MCP_UNSANDBOXED = env.bool("MCP_UNSANDBOXED", default=False)
# Upper limits for MCP servers, whatever a tenant configures.
MCP_MAX_SECONDS = env.int("MCP_MAX_SECONDS", default=120)
MCP_MAX_MEMORY_MB = env.int("MCP_MAX_MEMORY_MB", default=1024)
MCP_MAX_CALLS_PER_MINUTE = env.int("MCP_MAX_CALLS_PER_MINUTE", default=120)
# Payment adapter of the template marketplace: "manual" or "stripe".
PAYMENT_ADAPTER = env("PAYMENT_ADAPTER", default="manual")
PAYMENT_RETURN_URL = env("PAYMENT_RETURN_URL", default="http://127.0.0.1:8000/console/")
STRIPE_SECRET_KEY = env("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_URL = env("STRIPE_URL", default="https://api.stripe.com")
STRIPE_LIVE = env.bool("STRIPE_LIVE", default=False)
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=50 * 1024 * 1024)
# Characters of a conversation's attachments that agents read per question.
ATTACHMENT_CHARACTERS = env.int("ATTACHMENT_CHARACTERS", default=20_000)
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=1024 * 1024 * 1024)
# Files are parsed in subprocesses: their number per worker, and limits for each.
PARSE_PROCESSES = env.int("PARSE_PROCESSES", default=1)
PARSE_MEMORY_MB = env.int("PARSE_MEMORY_MB", default=384)
PARSE_SECONDS = env.int("PARSE_SECONDS", default=60)
OCR_SECONDS = env.int("OCR_SECONDS", default=120)
# Requests that wait for a model in a web process, and streams of answers: in total, of each tenant, and of each
# person that follows the same answer.
MODEL_REQUESTS_PER_PROCESS = env.int("MODEL_REQUESTS_PER_PROCESS", default=24)
MODEL_REQUESTS_PER_TENANT = env.int("MODEL_REQUESTS_PER_TENANT", default=MODEL_REQUESTS_PER_PROCESS // 2)
STREAMS_PER_PROCESS = env.int("STREAMS_PER_PROCESS", default=32)
STREAMS_PER_TENANT = env.int("STREAMS_PER_TENANT", default=STREAMS_PER_PROCESS // 2)
STREAMS_PER_READER = env.int("STREAMS_PER_READER", default=4)
# Request bodies that a web process receives at a time: in total, and from one client.
UNFINISHED_BODIES = env.int("UNFINISHED_BODIES", default=512)
UNFINISHED_BODIES_PER_CLIENT = env.int("UNFINISHED_BODIES_PER_CLIENT", default=32)
# Minutes without a message after which a session is summarised. 0: only when a user ends it.
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=30)
# Embedder for searching one's conversations. Empty: MiniLM if installed, else full-text search only.
MESSAGE_EMBEDDER = env("MESSAGE_EMBEDDER", default="")
# Embeddings endpoint, compatible with OpenAI or Ollama, and its models: NAME=1536,OTHER=1024, or a JSON object whose
# values are dimensions or objects with further options.
EMBEDDINGS_URL = env("EMBEDDINGS_URL", default="")
EMBEDDINGS_KEY = env("EMBEDDINGS_KEY", default="")
EMBEDDINGS_MODELS = read_models(env("EMBEDDINGS_MODELS", default=""))
# OpenAI-compatible chat endpoint whose model describes chunks in collections with enrichment enabled.
ENRICHMENT_URL = env("ENRICHMENT_URL", default="")
ENRICHMENT_KEY = env("ENRICHMENT_KEY", default="")
ENRICHMENT_MODEL = env("ENRICHMENT_MODEL", default="")
# Days that a tool call waits for approval before it is rejected.
APPROVAL_DAYS = env.int("APPROVAL_DAYS", default=7)
# Days after which the confidence of what was learned has halved.
LEARNING_HALF_LIFE_DAYS = env.int("LEARNING_HALF_LIFE_DAYS", default=60)
# Seconds after the last heartbeat of a process before another one resumes its answer.
ANSWER_LEASE_SECONDS = env.int("ANSWER_LEASE_SECONDS", default=30)
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=4)
WORKER_LISTEN = env.bool("WORKER_LISTEN", default=True)
# Functions that each worker calls every second.
WORKER_CLOCK = ("workflows.runtime.clock.tick", "workflows.services.schedules.fire_due_triggers")
AUDIT_SEAL_FILE = env("AUDIT_SEAL_FILE", default=str(VAR_DIR / "audit-seals.jsonl"))

# The framework reaches the apps by dotted path alone; it imports none of them.
API_APPS = ["tenants", "accounts", "audit", "knowledge", "agents", "conversations", "workflows"]
API_LANGUAGE = "accounts.services.preferences.get_language"
CONSOLE_ACCESS = "accounts.admin.access"
CONSOLE_DASHBOARD = "workflows.admin.dashboard.dashboard"
WARM_UP = ["config.api.docs.warm_up", "conversations.runtime.loop.warm_up"]

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
    "DEFAULT_SCHEMA_CLASS": "config.api.schema.ApiSchema",
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
    "PATH_CONVERTER_OVERRIDES": {"name": {"type": "string", "pattern": f"^{SLUG_PATTERN}$"}},
    # Enums are inlined: many fields are named `status`, each with different values.
    "PREPROCESSING_HOOKS": ["config.api.schema.keep_api_endpoints"],
    "POSTPROCESSING_HOOKS": [
        "config.api.schema.adjust_schemas",
        "conversations.api.wire_operations.add_wire_operations",
        "tenants.api.webhook_schema.add_webhooks",
        "config.api.examples.add_examples",
    ],
}
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "worker-src": [SELF, "blob:"],
    }
}
LOGGING = logging_settings(env("LOG_LEVEL", default="INFO"), as_json=env.bool("LOG_JSON", default=False))
# RequestIdMiddleware has validated or generated the id, so log, response and audit log share it.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
PROCRASTINATE_ON_APP_READY = None
os.environ.setdefault("DO_NOT_TRACK", "1")
