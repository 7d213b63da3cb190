"""``python -m simfleet.workload --keys var/demo.json``: the demo's traffic, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import uvloop

from simfleet.workload.client import Client, ExchangeFailed, Target
from simfleet.workload.demo import Witnessed, act_out
from simfleet.workload.keys import KeysUnreadable, TenantKey, read_keys

REPORT_EVERY_S = 30.0
PATIENCE_S = 60.0
"""How long to wait for a gateway that is still starting."""

log = logging.getLogger("headway.demo")


def main() -> None:
    """Exit code 0 when told to stop, 2 when it could not start."""
    options = argparse.ArgumentParser(prog="python -m simfleet.workload", description=__doc__)
    options.add_argument("--keys", type=Path, required=True, help="tenants and API keys, as var/demo.json")
    options.add_argument("--target", help="the gateway (default: the keys file's gateway_url)")
    options.add_argument("--model", help="default: the first served")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        keys = read_keys(chosen.keys)
        url = chosen.target or keys.gateway_url
        if url is None:
            raise KeysUnreadable(f"{chosen.keys} names no gateway_url: give --target")
        uvloop.run(_run(Target.parse(url), keys.tenants, chosen.model, chosen.seed))
    except (KeysUnreadable, ExchangeFailed, ValueError) as problem:
        log.error("demo workload: %s", problem)
        sys.exit(2)


async def _run(target: Target, tenants: tuple[TenantKey, ...], model: str | None, seed: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    served = model or await _first_model(target, tenants[0], stop)
    if served is None:
        return
    seen = Witnessed()
    reporting = loop.create_task(_report(seen))
    await act_out(target, tenants, served, seed=seed, stop=stop, seen=seen)
    reporting.cancel()


async def _first_model(target: Target, tenant: TenantKey, stop: asyncio.Event) -> str | None:
    """The first model served, once the gateway is up; ``None`` if told to stop before."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    async with Client(target) as client:
        while not stop.is_set():
            try:
                answer = await client.get("/v1/models", tenant.api_key)
            except ExchangeFailed:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.2)
                continue
            if not answer.models:
                raise ExchangeFailed(f"/v1/models: status {answer.status} {answer.code or 'and no model'}")
            return answer.models[0]
    return None


async def _report(seen: Witnessed) -> None:
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        log.info("demo: %s", ", ".join(f"{count} {name}" for name, count in asdict(seen).items()))


if __name__ == "__main__":
    main()
