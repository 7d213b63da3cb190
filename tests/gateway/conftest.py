"""Gateway tests run on the loop the gateway runs on."""

from __future__ import annotations

from typing import Any

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Any]:
    return {"uvloop": uvloop.new_event_loop}
