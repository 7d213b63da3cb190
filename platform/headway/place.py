"""Where does this installation live, and where does it keep its state?

Imported by commands that run without Django, so it knows nothing of settings.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: the folder that holds ``platform/``, ``templates/`` and ``static/``."""
CHECKOUT = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
"""Tells this checkout from another on the same machine, in the names of what tests make."""

EXAMPLES = ROOT / "examples"
VAR_VARIABLE = "HEADWAY_VAR"


def var_dir() -> Path:
    """The state folder: ``HEADWAY_VAR``, or ``var/`` in the checkout. Not created here."""
    given = os.environ.get(VAR_VARIABLE)
    return Path(given).resolve() if given else ROOT / "var"
