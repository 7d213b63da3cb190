"""How does policy change? One function for each change; ``merge`` is the only door to what is current."""

from __future__ import annotations

from policies.services.builds import build_revision
from policies.services.change_sets import (
    asked_by,
    close_change_set,
    drop_operation,
    open_change_set,
    propose,
    put_edits,
    put_operation,
    request_change,
)
from policies.services.checks import report_check
from policies.services.environments import create_environment
from policies.services.folders import apply, load_folder
from policies.services.heads import rebuild_head
from policies.services.merging import merge, save_document
from policies.services.plans import Plan, plan, validate

__all__ = [
    "Plan",
    "apply",
    "asked_by",
    "build_revision",
    "close_change_set",
    "create_environment",
    "drop_operation",
    "load_folder",
    "merge",
    "open_change_set",
    "plan",
    "propose",
    "put_edits",
    "put_operation",
    "rebuild_head",
    "report_check",
    "request_change",
    "save_document",
    "validate",
]
