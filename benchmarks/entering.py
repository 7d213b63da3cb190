"""``python -m benchmarks.entering EVENTS``: how many events a second does one recorder enter?

Into the database of ``DATABASE_URL``, or a SQLite file in a folder of its own: batches of 500 from eight
gateways at once, each answered after its commit is on the disk. Says the rate as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time

from coordination.wire.usage import Event

BATCH = 500
GATEWAYS = 8
TENANTS = 20


def main(events: int) -> None:
    with tempfile.TemporaryDirectory(prefix="headway_entering_") as var:
        os.environ["HEADWAY_VAR"] = var
        os.environ["DJANGO_SETTINGS_MODULE"] = "headway.settings.base"
        import django

        django.setup()
        print(json.dumps(_enter(events)))


def _enter(events: int) -> dict[str, float | int]:
    from django.core.management import call_command

    from coordination.spec import SourceFile
    from fleet.services import ensure_environment
    from foundation.actors import SYSTEM
    from ledger.mapping import Origin
    from ledger.recorder import Recorder
    from ledger.verification import verify
    from policies import services
    from tests.support.policies import QUICKSTART

    call_command("migrate", interactive=False, verbosity=0)
    ensure_environment(actor=SYSTEM, name="dev")
    services.create_environment(actor=SYSTEM, environment="dev")
    files = [SourceFile(path.name, path.read_bytes()) for path in sorted(QUICKSTART.glob("*.yaml"))]
    planned = services.plan(actor=SYSTEM, environment="dev", files=files)
    services.apply(actor=SYSTEM, environment="dev", files=files, plan_digest=planned.digest)

    now = time.time_ns() // 1000
    batches = [
        (
            Origin("dev", f"gw_{'a' * 25}{number % GATEWAYS}", now),
            tuple(_event(number * BATCH + each, now) for each in range(BATCH)),
        )
        for number in range(events // BATCH)
    ]
    recorder = Recorder()
    recorder.start()
    recorder.submit(*batches[0]).result(60)  # the first pays for imports and connections
    began, used = time.perf_counter(), time.process_time()
    receipts = [recorder.submit(origin, of) for origin, of in batches[1:]]
    entered = sum(receipt.result(600).accepted for receipt in receipts)
    spent, used = time.perf_counter() - began, time.process_time() - used
    recorder.stop(10)
    report = verify()
    return {
        "entered": entered,
        "per_second": entered / spent,
        "cpu_us": used / entered * 1e6,
        "problems": len(report.problems),
    }


def _event(number: int, now: int) -> Event:
    return Event(
        request_id=f"req_{number:026d}",
        attempt=1,
        kind="settled",
        outcome="completed",
        counted_by="engine",
        tenant=f"tenant-{number % TENANTS}",
        key_id="k7f3mq2xab",
        model="llama-3-8b",
        tier="priority",
        pool="chat-a",
        replica="http://127.0.0.1:8101",
        reservation=None,
        uncached_input=1000,
        cached_input=500,
        cache_write=0,
        output=100,
        reasoning=0,
        started_at=now - 2_000_000,
        ended_at=now - 1_000_000,
        bundle="sha256:" + "0" * 64,
        spend_nano=472_500,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
