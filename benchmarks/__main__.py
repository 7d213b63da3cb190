"""``python -m benchmarks [name...] [options]``: runs benchmarks one after another, each in its own process.

Without names all of them run. Options are handed to each named benchmark, so give them with one name.
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = {
    "decision": "one scheduling decision, without any input or output",
    "compile": "check and build of 10,000 tenants; `headway check` as a command; --peers beside LiteLLM",
    "fairness": "shares, minimum shares, reservations and isolation in virtual time",
    "gateway": "added latency, throughput and CPU a request; --peers beside sglang-router and LiteLLM",
    "streams": "first event of a stream beside the direct way, while 128 are open; --peers as gateway",
    "workers": "one port served by one process and by several: requests a second, CPU a request",
    "stages": "where the processor time of a request goes: the data path without sockets, stage by stage",
    "delivery": "save to acknowledgement, key to effect; the pointer endpoint beside a Django view of it",
    "swap": "for how long activating a policy of 10,000 tenants holds decisions up",
    "startup": "`headway up` to the first answered request",
    "live": "event to screen, many sockets, the live page; the cost of metering",
    "ledger": "20,000 requests through three kills, held against the fleet's own book",
    "replay": "2,000 requests of the Mooncake conversation trace, balanced against round robin",
    "faithful": "simulated against real time: the same trace through the real gateway at its own pace",
    "placement": "our placement beside the published strategies: cache, load, time to first token",
    "simulate": "the simulator: requests a second on one core, memory by length of the trace",
}


def main() -> None:
    """Exit code of the first benchmark that failed, else 0; 2 for a name that is none."""
    names = [argument for argument in sys.argv[1:] if not argument.startswith("-") and argument in BENCHMARKS]
    rest = [argument for argument in sys.argv[1:] if argument not in BENCHMARKS]
    if rest and (not names or not rest[0].startswith("-")):
        shown = "\n".join(f"  {name:<10}{what}" for name, what in BENCHMARKS.items())
        print(f"usage: python -m benchmarks [name...] [options]\n\n{shown}", file=sys.stderr)
        raise SystemExit(0 if rest[0] in ("-h", "--help") else 2)
    failed = 0
    for name in names or BENCHMARKS:
        print(f"== {name}: {BENCHMARKS[name]}", flush=True)
        ended = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *rest], check=False)
        failed = failed or ended.returncode
        print(flush=True)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
