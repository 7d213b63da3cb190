"""How is the console set up? Everything that differs between machines comes from the environment.

HEADWAY_VAR            state folder (default: var/ in the checkout)
HEADWAY_SECRET_KEY     signing secret (default: a file in the state folder)
HEADWAY_HOSTS          host names answered to (default: loopback only)
HEADWAY_ORIGINS        origins allowed to post, with scheme (default: those of the hosts)
HEADWAY_HTTPS          the console is reached over https only: secure cookies, HSTS
HEADWAY_DEBUG          tracebacks in the browser
HEADWAY_GATEWAY_URL, HEADWAY_GATEWAY_ADMIN_URL    where tenants call, and where the console asks
DATABASE_URL           default: SQLite in the state folder
HEADWAY_KEYS           folder of the online signing key (default: keys/ in the state folder)
HEADWAY_STATIC_ROOT    where collectstatic put the files (default: they are served from where they are)
HEADWAY_DECISIONS_DAYS, HEADWAY_DECISIONS_MOST    how long explanations are kept (14), how many (500,000)
HEADWAY_TRACE_FOLDER   folder of uploaded traces (traces/ in the state folder); web and workers share it
HEADWAY_TRACE_MB, HEADWAY_TRACES_MB    largest trace (64), and all of them together (4,096)
HEADWAY_SIMULATION_MB, HEADWAY_SIMULATION_MINUTES    what one run may use (4,096 MB of address space, 60)
REDIS_URL              shared cache, live layer and work queue (default: in-process)
HEADWAY_REDIS_PREFIX   what every key there begins with, when Redis is shared (default: headway:)
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF

from headway.place import EXAMPLES, ROOT, var_dir
from headway.settings import env

VAR = var_dir()
DEBUG = env.flag("HEADWAY_DEBUG", default=False)
HTTPS = env.flag("HEADWAY_HTTPS", default=False)
SECRET_KEY = env.secret_key(VAR)

ALLOWED_HOSTS = env.names("HEADWAY_HOSTS", default=("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.names("HEADWAY_ORIGINS", default=())

HEADWAY_GATEWAY_URL = os.environ.get("HEADWAY_GATEWAY_URL", "http://127.0.0.1:8080")
HEADWAY_GATEWAY_ADMIN_URL = os.environ.get("HEADWAY_GATEWAY_ADMIN_URL", "http://127.0.0.1:8081")
HEADWAY_KEYS = os.environ.get("HEADWAY_KEYS", str(VAR / "keys"))
HEADWAY_DECISIONS_DAYS = env.number("HEADWAY_DECISIONS_DAYS", default=14)
HEADWAY_DECISIONS_MOST = env.number("HEADWAY_DECISIONS_MOST", default=500_000)
HEADWAY_EXAMPLES = EXAMPLES
HEADWAY_TRACE_FOLDER = Path(os.environ.get("HEADWAY_TRACE_FOLDER") or VAR / "traces")
HEADWAY_TRACE_MB = env.number("HEADWAY_TRACE_MB", default=64)
HEADWAY_TRACES_MB = env.number("HEADWAY_TRACES_MB", default=4096)
HEADWAY_SIMULATION_MB = env.number("HEADWAY_SIMULATION_MB", default=4096)
HEADWAY_SIMULATION_MINUTES = env.number("HEADWAY_SIMULATION_MINUTES", default=60)
HEADWAY_PROCESSES = VAR / "processes.json"  # written by `headway up`; absent when something else supervises

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "headway.apps.RecordsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "foundation",
    "fleet",
    "tenancy",
    "policies",
    "ledger",
    "telemetry",
    "delivery",
    "simulations",
    "console",
    "portal",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "foundation.http.answers.ProblemMiddleware",
]

ROOT_URLCONF = "headway.urls"
ASGI_APPLICATION = "headway.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# -- data ----------------------------------------------------------------------------------------


def database(url: str) -> Any:
    """A Django database entry for ``url``; SQLite gets WAL and takes its write lock at BEGIN.

    A deferred transaction that upgrades to a write fails at once with "database is locked" however
    long the timeout; an immediate one waits its turn.
    """
    entry: dict[str, Any] = {**dj_database_url.parse(url, conn_max_age=0)}
    if entry["ENGINE"] == "django.db.backends.sqlite3":
        entry["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    else:
        entry["OPTIONS"] = {**entry.get("OPTIONS", {}), "pool": {"min_size": 1, "max_size": 8}}
    return entry


DATABASES = {"default": database(os.environ.get("DATABASE_URL") or f"sqlite:///{VAR / 'headway.sqlite3'}")}

REDIS_URL = os.environ.get("REDIS_URL", "")
REDIS_PREFIX = os.environ.get("HEADWAY_REDIS_PREFIX", "headway:")
CACHES: dict[str, dict[str, Any]] = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": REDIS_PREFIX,
        }
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

# -- people --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "tenancy.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# scrypt: memory-hard, in the standard library, and a fifth of PBKDF2's time at Django's settings.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "tenancy:sign-in"
LOGIN_REDIRECT_URL = "console:home"
LOGOUT_REDIRECT_URL = "tenancy:sign-in"

AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "tenancy.views.locked_out"
AXES_VERBOSE = False

# -- programs ------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenancy.api.authentication.ServiceTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["foundation.http.parsers.StrictJSON"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "foundation.http.rest.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Headway",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    # Fields of one name with other choices in each schema: generated clients get a name for each.
    "ENUM_NAME_OVERRIDES": {
        "ChangeSetState": "policies.models.changes.ChangeSet.State",
        "CheckState": "policies.models.changes.Check.State",
        "SimulationState": "simulations.models.State",
        "ReleaseState": "delivery.models.Release.State",
        "StageState": "delivery.models.Stage.State",
    },
}
# A whole policy set in one request: `headway plan` of ten thousand documents is about this large.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024

# -- pages ---------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = os.environ.get("HEADWAY_STATIC_ROOT")
# Plotly's script comes out of its wheel; the package itself is not imported for it.
PLOTLY = importlib.util.find_spec("plotly")
STATICFILES_DIRS: list[Any] = [
    ROOT / "static",
    *(
        ("plotly", Path(place) / "package_data")
        for place in (PLOTLY and PLOTLY.submodule_search_locations) or ()
    ),
]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 300

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_NAME = "headway_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
CSRF_COOKIE_NAME = "headway_csrf"
CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
