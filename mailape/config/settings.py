"""Django's settings, made from the table in `variables.py`: the embedded default or production."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from csp.constants import NONE, SELF

from mailape import __version__
from mailape.config import variables
from mailape.config.keys import kept_secret
from mailape.core import logs

try:
    GIVEN = variables.gather()
    VALUES = variables.read(GIVEN)
    # For the system page: each with what came from where, and nothing of any secret.
    IN_FORCE = variables.in_force()
    if VALUES["DATABASE_URL"] and not VALUES["SECRET_KEY"]:
        raise variables.WrongVariable(
            "SECRET_KEY", "is demanded when DATABASE_URL is set", "fifty-or-more-random-characters"
        )
except variables.WrongVariable as wrong:
    sys.exit(f"mailape: {wrong}")

PACKAGE = Path(__file__).resolve().parent.parent
BASE_DIR = PACKAGE.parent
FROM_A_CLONE = (BASE_DIR / "pyproject.toml").is_file()

DATA: Path = VALUES["MAILAPE_DATA"] or (
    BASE_DIR / "data" if FROM_A_CLONE else Path.home() / ".local/share/mailape"
)
HOST: str = VALUES["HOST"]
PORT: int = VALUES["PORT"]
_HERE = "127.0.0.1" if HOST == "0.0.0.0" else variables.bracketed(HOST)  # noqa: S104 - compared
SITE_URL: str = VALUES["SITE_URL"] or f"http://{_HERE}:{PORT}"
SITE_HOST = urlsplit(SITE_URL).hostname or ""
SITE_IS_HTTPS = SITE_URL.startswith("https://")
SMTP_URL: str = VALUES["SMTP_URL"]
DEFAULT_FROM: str = VALUES["DEFAULT_FROM"]
SIGNUP_OPEN: bool = VALUES["SIGNUP"] == "open"
TRUSTED_PROXIES = VALUES["TRUSTED_PROXIES"]
API_RATE_USER: str = VALUES["API_RATE_USER"]
API_RATE_ANON: str = VALUES["API_RATE_ANON"]
TAKE_BACK: int = VALUES["TAKE_BACK"]  # seconds
REDIS_URL: str = VALUES["REDIS_URL"]
EMBEDDED_DATABASE = not VALUES["DATABASE_URL"]
EMBEDDED_BROKER = not REDIS_URL

SECRET_KEY = VALUES["SECRET_KEY"] or kept_secret(DATA)
DEBUG = False
ALLOWED_HOSTS = sorted({variables.bracketed(SITE_HOST), "localhost", "127.0.0.1", "[::1]"})
CSRF_TRUSTED_ORIGINS = [SITE_URL]
ROOT_URLCONF = "mailape.config.urls"
WSGI_APPLICATION = "mailape.config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
APPEND_SLASH = False

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_results",
    "csp",
    "mailape.core",
    "mailape.accounts",
    "mailape.senders",
    "mailape.lists",
    "mailape.campaigns",
    "mailape.delivery",
    "mailape.web",
    "mailape.api",
    "mailape.ops",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "mailape.web.health.Probes",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "mailape.web.languages.Languages",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "mailape.web.middleware.Pages",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mailape.web.context.web",
            ]
        },
    }
]


def _postgres(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": parts.port or "",
        "CONN_MAX_AGE": 60,
        # Without it a restart of PostgreSQL poisons every process that kept a connection.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }


_SQLITE: dict[str, object] = {
    "ENGINE": "mailape.core.sqlite",
    "NAME": DATA / "mailape.sqlite3",
    "CONN_MAX_AGE": 60,
    "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
    # A file, not memory: the tests meet the same locks as the product.
    "TEST": {"NAME": DATA / "test.sqlite3"},
}
DATABASES = {
    "default": _SQLITE if EMBEDDED_DATABASE else _postgres(VALUES["DATABASE_URL"]),
}

# Redis is never trusted to be there: a cache that cannot be reached is an empty one.
CACHES = {
    "default": {
        "BACKEND": "mailape.core.caches.SoftRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "mailape",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
}
SESSION_ENGINE = (
    "django.contrib.sessions.backends.cached_db"
    if REDIS_URL
    else "django.contrib.sessions.backends.db"
)
SESSION_COOKIE_NAME = "mailape_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SITE_IS_HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "mailape.web.errors.csrf_failed"
SESSION_COOKIE_AGE = int(timedelta(days=30).total_seconds())
MESSAGE_STORAGE = "mailape.web.toasts.ByPage"
X_FRAME_OPTIONS = "SAMEORIGIN"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_SSL_REDIRECT = False
# A message may have 1 MB of text, which JSON or a form can write with four times as many bytes.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4_500_000
SECURE_HSTS_SECONDS = 31_536_000 if SITE_IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains and preload are for the owner of the domain to decide
    "security.W021",
    "security.W008",  # the proxy in front redirects to https; /healthz must answer without it
    "security.W019",  # previews stand in frames of our own; frame-ancestors says the same
]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [SELF],
        "manifest-src": [SELF],
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "web:sign-in"
AUTHENTICATION_BACKENDS = ["mailape.accounts.backend.ByAddress"]
PASSWORD_RESET_TIMEOUT = 3600

LANGUAGE_CODE = "en"
# The public pages and readers' mails speak all of these, in their own names; the interface some.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español")]
INTERFACE_LANGUAGES = ("en", "de")
LOCALE_PATHS = [PACKAGE / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = DATA / "static"
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA / "media", "base_url": "/media/"},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "mailape.api.authentication.BearerToken",
        "mailape.api.authentication.Session",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["mailape.api.permissions.InWorkspace"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["mailape.api.throttles.PerCaller"],
    "DEFAULT_SCHEMA_CLASS": "mailape.api.schema.Described",
    "EXCEPTION_HANDLER": "mailape.api.problems.as_problem",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "MailApe",
    "DESCRIPTION": "Lists, subscribers and messages of a MailApe workspace.",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "Format": "mailape.campaigns.models.Format",
        "Role": "mailape.accounts.models.Role",
        "SuppressionKind": "mailape.lists.models.SuppressionKind",
        "SuppressionReason": "mailape.lists.models.SuppressionReason",
        "SubscriptionStatus": "mailape.lists.models.Status",
        "MessageStatus": "mailape.campaigns.models.Status",
        "DeliveryState": "mailape.delivery.models.State",
    },
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

# --- Celery: read by mailape.config.celery under the prefix CELERY_ ---
CELERY_BROKER_URL = REDIS_URL or f"mailape+sqlite:///{quote(str(DATA / 'broker.sqlite3'))}"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"visibility_timeout": 60, "socket_timeout": 5, "socket_connect_timeout": 2}
    if REDIS_URL
    else {}
)
CELERY_RESULT_BACKEND = "mailape.core.results.Results"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = timedelta(days=7)
CELERY_TASK_IGNORE_RESULT = False
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = True
CELERY_TASK_TRACK_STARTED = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = "bulk"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# Celery 5.7 closes the database connection after every task unless this is set.
CELERY_DB_REUSE_MAX = 1_000_000
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"

LOGGING_CONFIG = None
# What the system page reads. Without DATABASE_URL there is one host, and it keeps a log by itself.
LOG_KEPT: str = VALUES["LOG_FILE"] or (str(DATA / "log/mailape.log") if EMBEDDED_DATABASE else "")
logs.configure(
    level=VALUES["LOG_LEVEL"],
    file=VALUES["LOG_FILE"] or None,
    form=VALUES["LOG_FORMAT"],
    kept=LOG_KEPT or None,
)
