"""Which capacity profile does somebody mean who names one, or the file of one?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from coordination.capacity import PROFILES, Profile
from coordination.capacity.profile_file import ProfileFileError, read_profile
from headway.cli.artefacts import CouldNotRun, read_file

NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


def profile_of(text: str) -> Profile:
    """Of the built-in ones, else of a file. Raises ``CouldNotRun``."""
    known = PROFILES.get(text)
    if known is not None:
        return known
    if not Path(text).is_file():
        raise CouldNotRun(f"{text}: neither a profile ({', '.join(PROFILES)}) nor a file of one")
    return profile_in(text)


def profile_in(path: str) -> Profile:
    """Raises ``CouldNotRun``."""
    if not Path(path).is_file():
        raise CouldNotRun(f"{path}: there is no such file of a profile")
    try:
        return read_profile(read_file(Path(path)))
    except ProfileFileError as problem:
        raise CouldNotRun(f"{path}: {problem}") from None
