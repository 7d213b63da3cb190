"""How is what programs send taken apart?

Apart from ``rest``: REST framework imports its parsers while it is itself being imported.
"""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSON(JSONParser):
    """JSON that cannot exhaust the interpreter: what is nested too deep is malformed like the rest."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error: nested too deep") from None
