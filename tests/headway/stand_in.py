"""A tiny child process for the supervisor's tests: ``python -m tests.headway.stand_in PORT [BEHAVIOUR]``.

``serve`` answers every GET; ``stubborn`` ignores SIGTERM; ``broken`` writes a line and ends with code 3.
"""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    port, behaviour = int(sys.argv[1]), sys.argv[2]
    if behaviour == "broken":
        sys.exit("no model called llama-9")
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever()


if __name__ == "__main__":
    main()
