"""How is the console set up under test? Databases of its own names, cheap passwords, no files in var/."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from headway.place import CHECKOUT

# Before base is read: a test must never make, read or write the checkout's own state.
os.environ.setdefault("HEADWAY_VAR", str(Path(tempfile.gettempdir()) / f"headway_test_var_{CHECKOUT}"))
os.environ["HEADWAY_SECRET_KEY"] = "only-for-tests-" + "k" * 50
os.environ.pop("DATABASE_URL", None)
os.environ.pop("REDIS_URL", None)

from headway.settings.base import *  # noqa: F403
from headway.settings.base import database

DATABASES = {"default": {**database("sqlite://:memory:"), "TEST": {"NAME": None}}}
DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE"}

# tests/conftest.py finds a server and sets this; tests marked `postgres` then run on it.
if postgres := os.environ.get("HEADWAY_TEST_POSTGRES"):
    DATABASES["postgres"] = {
        **database(postgres),
        "TEST": {"NAME": f"headway_test_postgres_{CHECKOUT}", "DEPENDENCIES": []},
    }
    DATABASES["postgres"]["OPTIONS"].pop("pool")

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
# Look a static file up when asked for it: scanning them all for each client costs more than the test.
WHITENOISE_AUTOREFRESH = True
