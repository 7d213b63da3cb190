"""What does every answer of the console have in common? Refusals, repeats, pages and versions.

This package is imported by rows and services alike; what needs REST framework is in ``rest``.
"""

from __future__ import annotations

from foundation.http.refusals import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Refused,
)

__all__ = [
    "Conflict",
    "FieldError",
    "Forbidden",
    "Invalid",
    "Malformed",
    "NotFound",
    "PreconditionFailed",
    "PreconditionRequired",
    "Refused",
]
