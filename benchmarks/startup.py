"""How long from ``headway up`` to the first answered request, and from SIGTERM to silence?

A state folder of its own and free ports each time, so a running Headway is left alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.machine import banner
from benchmarks.processes import DidNotStart, last_words, running, spent, wait_for_file
from benchmarks.upstream import MODEL

PATIENCE_S = 120.0
FREE_PORTS = ("--port", "0", "--gateway-port", "0", "--admin-port", "0", "--fleet-port", "0")


def once() -> tuple[float, float, float]:
    """Seconds to the first answer, seconds to stop, and resident MB of all processes together."""
    with tempfile.TemporaryDirectory() as name:
        var, log = Path(name) / "var", Path(name) / "up.log"
        command = [sys.executable, "-m", "headway", "up", "--var", str(var), *FREE_PORTS]
        began = time.perf_counter()
        with running(command, log=log) as process:
            facts = json.loads(wait_for_file(var / "demo.json", process, log, PATIENCE_S))
            _first_answer(facts["gateway_url"], facts["tenants"][0]["api_key"], log)
            answered = time.perf_counter() - began
            used = spent(process.pid)
            stopping = time.perf_counter()
            process.terminate()
            process.wait(PATIENCE_S)
            stopped = time.perf_counter() - stopping
    return answered, stopped, used.rss_mb


def _first_answer(url: str, key: str, log: Path) -> None:
    body = {"model": MODEL, "max_tokens": 4, "messages": [{"role": "user", "content": "hello"}]}
    answer = httpx.post(
        f"{url}/v1/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {key}"},
        timeout=PATIENCE_S,
    )
    if answer.status_code != 200:
        raise DidNotStart(f"the first request got {answer.status_code}: {answer.text}\n{last_words(log)}")


def main() -> None:
    """Prints medians, and the first start apart: it compiles what later ones find cached."""
    options = argparse.ArgumentParser(prog="python -m benchmarks startup")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    print(banner())
    answered, stopped, rss = zip(*(once() for _ in range(chosen.rounds)), strict=True)
    print(
        f"first answer  {statistics.median(answered):.1f} s (first start {answered[0]:.1f} s), wanted < 15 s"
    )
    print(f"stopped       {statistics.median(stopped):.1f} s after SIGTERM (worst {max(stopped):.1f} s)")
    print(f"memory        {statistics.median(rss):.0f} MB resident, all processes")


if __name__ == "__main__":
    main()
