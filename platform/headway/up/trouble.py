"""What stops a start? One exception that carries what to tell the person, and what they can do."""

from __future__ import annotations


class CannotStart(Exception):
    """Starting is impossible; the message says why and what to do about it."""
