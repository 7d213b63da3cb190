"""A web process looks for garbage, but not among what it has loaded."""

from __future__ import annotations

import gc

import uvicorn

from headway.web import GARBAGE, WebServer


async def nothing(scope, receive, send):
    """Answers nobody."""


async def test_garbage_is_looked_for_again_once_it_serves_and_not_among_what_is_loaded():
    config = uvicorn.Config(nothing, port=0, lifespan="off")
    config.load()
    server = WebServer(config)
    server.lifespan = config.lifespan_class(config)
    before, enabled, frozen = gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()
    loaded = [[number] for number in range(1000)]
    gc.disable()
    try:
        await server.startup()
        assert gc.isenabled()
        assert gc.get_threshold() == GARBAGE
        assert gc.get_freeze_count() >= frozen + len(loaded)
        await server.shutdown()
    finally:
        gc.set_threshold(*before)
        if not enabled:
            gc.disable()
