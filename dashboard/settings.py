"""Settings: every value that differs between machines comes from the environment (README, table).

The defaults suit one machine with nothing installed: SQLite and files below TAPELINE_DATA.
"""

import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from dashboard import env, mail, media

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("TAPELINE_DATA", str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
TESTING = "pytest" in sys.modules

DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY")
if not SECRET_KEY:
    # Enough to migrate, check and test; `manage.py check --deploy` refuses it, and sessions end
    # with the process.
    SECRET_KEY = "insecure-" + secrets.token_urlsafe(48)
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
if _public.scheme not in {"http", "https"} or not _public.hostname:
    raise ImproperlyConfigured(
        f"PUBLIC_URL is {PUBLIC_URL!r}; it must look like https://desk.example"
    )
HTTPS = _public.scheme == "https"
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or [_public.hostname, "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "access",
    "calls",
    "recordings",
    "dashboard",
]
MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",  # first, so that the next one's own pages carry it too
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.middleware.careful_headers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
WSGI_APPLICATION = "dashboard.wsgi.application"
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
                "csp.context_processors.nonce",
                "dashboard.context.desk",
            ],
            "builtins": ["dashboard.templatetags.desk"],
        },
    }
]

# Database

DATABASES: dict[str, dict[str, Any]] = {
    "default": dict(
        dj_database_url.parse(
            env.url(
                "DATABASE_URL",
                f"sqlite:///{DATA_DIR / 'tapeline.sqlite3'}",
                *("sqlite", "postgres", "postgresql"),
            ),
            conn_max_age=None,
            conn_health_checks=True,
        )
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # DEFERRED fails with "database is locked"
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
            "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-20000;"
            "PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=1000;"
        ),
    }
    # A file, not memory: threads and processes of the tests share it as in life.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / f"test-{os.getpid()}.sqlite3")}
else:
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        connect_timeout=2,
        application_name="tapeline",
        options="-c statement_timeout=5000 -c lock_timeout=2000"
        " -c idle_in_transaction_session_timeout=10000",
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Broker: a doorbell only; without one the pump does the same work a second later

REDIS_URL = env.url("REDIS_URL", "", "redis", "rediss", "unix")

# Telnyx

TELNYX_API_KEY = env.text("TELNYX_API_KEY")
TELNYX_PUBLIC_KEYS = env.text("TELNYX_PUBLIC_KEYS")
TELNYX_CONNECTION_ID = env.text("TELNYX_CONNECTION_ID")
TELNYX_BASE_URL = env.url("TELNYX_BASE_URL", "https://api.telnyx.com/v2", "https", "http")
# Where recordings may be downloaded from: host and path prefix. `s3.amazonaws.com` alone would
# allow anybody's bucket.
TELNYX_MEDIA_ALLOW = env.words("TELNYX_MEDIA_ALLOW") or [
    "https://s3.amazonaws.com/telephony-recorder-prod/",
    "https://telephony-recorder-prod.s3.amazonaws.com/",
]

# Where a POST of {"from", "to", "talk"} makes a stand-in for Telnyx ring this desk: for practice.
PRACTICE_CALLS_URL = env.url("PRACTICE_CALLS_URL", "", "https", "http")

# Recordings

PAUSE_GUARD_S = env.whole("PAUSE_GUARD_S", 120, least=5, most=3600)
_media = media.read(DATA_DIR)
MEDIA_ROOT = _media.root
STORAGES = {
    "default": _media.backend,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING
        else "dashboard.statics.HashedFiles"
    },
}

# Mail

_mail = mail.read(_public.hostname)
EMAIL_URL = _mail["EMAIL_URL"]  # empty: no mail is sent
DEFAULT_FROM_EMAIL = _mail["DEFAULT_FROM_EMAIL"]
EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_HOST"], _mail["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"], _mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail["EMAIL_USE_TLS"], _mail["EMAIL_USE_SSL"]

# People

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_AGE = 12 * 3600  # one shift
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True  # htmx takes the token from the page
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# What browsers may do

MESSAGE_TAGS = {40: "danger"}  # an error, in the words of our style sheet

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked on loopback
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF, NONCE],  # the nonce is wavesurfer's shadow style and nobody else's
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF, *filter(None, [_media.origin])],
        "media-src": [SELF, *filter(None, [_media.origin])],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144
FILE_UPLOAD_HANDLERS = [
    "calls.sounds.uploads.Bounded",  # first: nothing longer than a sound for calls is kept
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# Time and files

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
DATETIME_FORMAT = "j M Y H:i:s"  # the admin's; a second matters in a timeline
TIME_ZONE = env.zone("TIME_ZONE")
COUNTRY = env.country("COUNTRY")
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "django.request": {"level": "ERROR"},
        "httpx": {"level": "WARNING"},
    },
}
SILENCED_SYSTEM_CHECKS: list[str] = []
