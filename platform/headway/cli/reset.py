"""How does somebody start afresh? ``headway reset``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

from headway.cli.words import Option
from headway.place import var_dir
from headway.up import lock
from headway.up.trouble import CannotStart

OURS = ("headway.sqlite3", "secret-key", lock.NAME)
"""Signs that a folder is a state folder: anything else is not ours to clear."""


def command(
    var: Annotated[Path | None, Option(help="State folder (default: var/ in the checkout).")] = None,
    yes: Annotated[bool, Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Clear local state: database, keys, logs, the gateway's folder. Refuses while headway runs."""
    folder = var.resolve() if var else var_dir()
    if not folder.is_dir() or not any(folder.iterdir()):
        print(f"{folder} holds nothing.")
        return
    if not any((folder / name).exists() for name in OURS):
        print(f"{folder} does not look like a state folder of headway; it is left alone.", file=sys.stderr)
        raise SystemExit(1)
    try:
        with lock.held(folder):
            if not yes:
                confirm(f"Remove the database, keys, logs and gateway state in {folder}?")
            clear(folder)
    except CannotStart as running:
        print(running, file=sys.stderr)
        raise SystemExit(1) from running
    print(f"{folder} is empty.")


def confirm(question: str) -> None:
    """Ask at the terminal; whatever is not a yes ends the command with 1."""
    if input(f"{question} [y/N]: ").strip().lower() not in ("y", "yes"):
        print("Aborted!", file=sys.stderr)
        raise SystemExit(1)


def clear(folder: Path) -> None:
    """Remove everything in ``folder``, the lock last; the folder itself stays."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name == lock.NAME):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
