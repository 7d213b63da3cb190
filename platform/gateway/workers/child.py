"""``python -m gateway.workers.child LINK PIPE LISTENING``: one worker in a process of its own.

The arguments are descriptors that its parent made. It ignores the signals that stop a gateway: they are its
parent's, which says when to drain. When the parent is gone, however that came, so is it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading

import uvloop

import compiled

compiled.stand_in()  # before any module that was compiled is imported

from gateway.log import log
from gateway.main import settle_down
from gateway.tls import TlsUnusable
from gateway.workers.messages import Garbled
from gateway.workers.policy import Receiver
from gateway.workers.worker import Worker

ORPHANED = 3
"""Exit code: the parent is gone."""


def main() -> None:
    link, pipe, listening = (socket.socket(fileno=int(number)) for number in sys.argv[1:4])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    receiver = Receiver(pipe)
    try:
        opening, first = receiver.opening(), receiver.next()
    except (EOFError, OSError):
        sys.exit(ORPHANED)

    async def serve() -> int:
        try:
            worker = Worker(opening, first, link, listening)
        except TlsUnusable as error:
            log("tls_unusable", message=str(error))
            return 1
        follow(receiver, worker)
        await worker.start()
        settle_down()
        await worker.ended.wait()
        return 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(serve())
    os._exit(code)  # the thread that waits for policies would wait for ever


def follow(receiver: Receiver, worker: Worker) -> None:
    """Load each policy that comes; end the process when none can come any more."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while True:
            try:
                number, active = receiver.next()
            except (EOFError, OSError, Garbled):
                os._exit(ORPHANED)
            loop.call_soon_threadsafe(worker.prepared, number, active)

    threading.Thread(target=wait, name="policies", daemon=True).start()


if __name__ == "__main__":
    main()
