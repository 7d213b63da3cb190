"""What does the terminal at the other end want?"""

from __future__ import annotations

import os
import sys


def wants_colour() -> bool:
    """Colour on terminals only, unless https://no-color.org says otherwise."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
