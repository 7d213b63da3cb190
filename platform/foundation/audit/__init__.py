"""Who did what, when, and can anybody have altered the record since?"""

from __future__ import annotations

from foundation.audit.selectors import entries, verify
from foundation.audit.services import record

__all__ = ["entries", "record", "verify"]
