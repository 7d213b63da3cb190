"""Why was something delivered not accepted? A closed list of codes, each with a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Code = Literal[
    "bad_signature",
    "unknown_key",
    "threshold_not_met",
    "replayed_serial",
    "wrong_environment",
    "wrong_ring",
    "unknown_feature",
    "digest_mismatch",
    "self_test_failed",
    "too_large",
    "archive_traversal",
    "archive_link",
    "archive_duplicate",
    "archive_bomb",
    "archive_malformed",
    "malformed_envelope",
    "malformed_root",
    "malformed_pointer",
    "malformed_manifest",
    "malformed_program",
    "malformed_directory",
    "missing_file",
    "fetch_failed",
    "persist_failed",
    "malformed_override",
    "override_out_of_bounds",
    "second_person_needed",
    "override_expired",
    "override_early",
    "override_replayed",
    "override_renewed",
    "too_many_overrides",
    "releases_frozen",
]

PERMANENT: frozenset[Code] = frozenset(
    {
        "self_test_failed",
        "unknown_feature",
        "wrong_environment",
        "malformed_manifest",
        "malformed_program",
        "malformed_directory",
        "replayed_serial",
    }
)
"""Refusals about content that its digest fixes: fetching it again cannot help. The others may come
from a broken transfer, a damaged or full disk, or a signature still to be added."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal. ``file`` and ``json_pointer`` say where, when there is a where."""

    code: Code
    message: str
    file: str = ""
    json_pointer: str = ""

    @property
    def retryable(self) -> bool:
        return self.code not in PERMANENT

    def __str__(self) -> str:
        place = f"{self.file}{self.json_pointer and '#' + self.json_pointer}"
        return f"{self.code}: {place}: {self.message}" if place else f"{self.code}: {self.message}"


class RefusedError(Exception):
    """Carries a ``Refused`` out of the depths of a check."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(str(refused))
        self.refused = refused


def refuse(code: Code, message: str, *, file: str = "", json_pointer: str = "") -> RefusedError:
    """The exception to raise."""
    return RefusedError(Refused(code, message, file, json_pointer))
