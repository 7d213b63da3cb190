"""What does the environment say? Small readers that name the variable in every complaint."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"", "0", "false", "no", "off"})


def flag(name: str, *, default: bool) -> bool:
    """A yes or no. Raises ImproperlyConfigured for anything else, naming the variable."""
    given = os.environ.get(name)
    if given is None:
        return default
    lowered = given.strip().lower()
    if lowered in TRUE:
        return True
    if lowered in FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={given!r} is neither yes (1, true) nor no (0, false)")


def number(name: str, *, default: int) -> int:
    """A whole number of one or more. Raises ImproperlyConfigured for anything else, naming the variable."""
    given = os.environ.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and int(given[:18]) > 0):
        raise ImproperlyConfigured(f"{name}={given!r} is not a whole number of one or more")
    return int(given)


def names(name: str, *, default: tuple[str, ...]) -> list[str]:
    """A comma-separated list; empty parts are dropped."""
    given = os.environ.get(name)
    if given is None:
        return list(default)
    return [part.strip() for part in given.split(",") if part.strip()]


def private_folder(folder: Path) -> Path:
    """``folder``, created for its owner only when it is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def secret_key(folder: Path) -> str:
    """The signing secret: ``HEADWAY_SECRET_KEY``, or a file of mode 0600 made at first use.

    Two processes starting at once agree: the file is written aside and linked into place,
    and whoever comes second reads the first one's.
    """
    given = os.environ.get("HEADWAY_SECRET_KEY")
    if given:
        return given
    kept = folder / "secret-key"
    if not kept.exists():
        private_folder(folder)
        aside = folder / f".secret-key.{os.getpid()}"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(64))
        try:
            os.link(aside, kept)
        except FileExistsError:
            pass  # another process was first; its secret is the one
        finally:
            aside.unlink()
    return kept.read_text().strip()
