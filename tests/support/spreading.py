"""Which tests go to one process, when several run them? (pytest-xdist)

What the tests of a module share (a console with its gateway, say) is made once, and some of them go on from
where the one before left it: such a module is one piece of work, any other test is one by itself.
"""

from __future__ import annotations

import functools
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[2]
SHARING = ('scope="module"', "xdist_group(")
BROWSING = "tests/e2e/"
"""Share a browser."""


class ByModule(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
    """Modules that share something whole, the rest test by test."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if shares(module) else nodeid


@functools.cache
def shares(module: str) -> bool:
    """``module``: a path from the root of the repository."""
    if module.startswith(BROWSING):
        return True
    text = (ROOT / module).read_text()
    return any(sign in text for sign in SHARING)
