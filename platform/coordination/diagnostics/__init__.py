"""What is wrong with a policy, said so that a person or a program can mend it."""

from coordination.diagnostics.as_github import render_github
from coordination.diagnostics.as_json import render_json
from coordination.diagnostics.as_sarif import render_sarif
from coordination.diagnostics.as_text import render_text
from coordination.diagnostics.nearest import Nearest
from coordination.diagnostics.values import (
    SEVERITIES,
    Diagnostic,
    Fix,
    Location,
    ObjectRef,
    Related,
    Rule,
    Severity,
    count,
    has_errors,
    in_reading_order,
)

__all__ = [
    "SEVERITIES",
    "Diagnostic",
    "Fix",
    "Location",
    "Nearest",
    "ObjectRef",
    "Related",
    "Rule",
    "Severity",
    "count",
    "has_errors",
    "in_reading_order",
    "render_github",
    "render_json",
    "render_sarif",
    "render_text",
]
