"""What does the terminal at the other end want?"""

from __future__ import annotations

import os
import sys


def wants_colour() -> bool:
    """Colour on terminals only, unless https://no-color.org says otherwise."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def wants_progress() -> bool:
    """Progress for people who watch: on a terminal's stderr, and never in a job of CI."""
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
