"""``headway check --fix``: which files change, and how are they written back?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from coordination.diagnostics import Diagnostic, Fix, Location
from coordination.spec import SourceFile
from coordination.spec.mending import mend

BOM = b"\xef\xbb\xbf"
MOST_ROUNDS = 20
"""One fix can make way for another (a kind, then its fields); nothing sensible takes more."""


class Mended(NamedTuple):
    """Files as they are after fixing."""

    files: list[SourceFile]
    changed: frozenset[str]
    """Names of the files that differ."""
    applied: int


def mend_files(files: list[SourceFile], diagnose: Callable[[list[SourceFile]], list[Diagnostic]]) -> Mended:
    """Apply safe fixes until none is left; the files themselves are not touched."""
    held = {file.name: file for file in files}
    changed: set[str] = set()
    applied = 0
    for _ in range(MOST_ROUNDS):
        count = 0
        for name, fixes in _safe(diagnose(list(held.values()))).items():
            data = held[name].text
            bom = BOM if data.startswith(BOM) else b""
            mended, done = mend(name, data.removeprefix(BOM).decode(), fixes)
            if done:
                held[name] = SourceFile(name, bom + mended.encode())
                changed.add(name)
                count += done
        if not count:
            break
        applied += count
    return Mended(list(held.values()), frozenset(changed), applied)


def _safe(diagnostics: list[Diagnostic]) -> dict[str, list[tuple[Location, Fix]]]:
    """Fixes that a program may apply, by file."""
    found: dict[str, list[tuple[Location, Fix]]] = {}
    for diagnostic in diagnostics:
        fix, at = diagnostic.fix, diagnostic.location
        if fix is not None and at is not None and fix.applicability == "safe":
            found.setdefault(at.file, []).append((at, fix))
    return found


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, with the permissions it had. A link keeps pointing where it did."""
    target = path.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, target.stat().st_mode & 0o7777)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
