"""What does an engine say of itself? Its metrics page and its list of models, under whatever names it has.

Pure: bytes in, values out. A gateway fetches the bytes; the simulated fleet writes its page from the same
names (``dictionary``).
"""

from __future__ import annotations

from coordination.engines.asking import MODELS, Answer, Asking
from coordination.engines.dictionary import DIALECTS, FIRST_ASKED, Dialect
from coordination.engines.listing import Listing, read_listing
from coordination.engines.membership import Change, Resolved, Unresolved, failing, resolved
from coordination.engines.page import PAGE_LIMIT
from coordination.engines.reading import Reading, read

__all__ = [
    "DIALECTS",
    "FIRST_ASKED",
    "MODELS",
    "PAGE_LIMIT",
    "Answer",
    "Asking",
    "Change",
    "Dialect",
    "Listing",
    "Reading",
    "Resolved",
    "Unresolved",
    "failing",
    "read",
    "read_listing",
    "resolved",
]
