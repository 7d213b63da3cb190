"""What happens when somebody types ``headway up``? Read ``_start`` from top to bottom."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from headway.place import ROOT, VAR_VARIABLE
from headway.up import accounts, crew, lock, policy, ports
from headway.up.demo import Cast, draw_cast, remove_facts, write_facts
from headway.up.options import Options, Ports
from headway.up.processes import NAME as PROCESSES
from headway.up.supervisor import StopAsked, Supervisor
from headway.up.trouble import CannotStart

HEAL_WITHIN = 5.0
"""Seconds the processes of a killed run get to end by themselves."""


def up(options: Options) -> int:
    """Run everything until a signal comes; the exit code. Takes the main thread's signals."""
    var = options.var
    supervisor = Supervisor(var, say=_say)
    supervisor.catch_signals()
    try:
        var.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock.held(var):
            try:
                _start(options, supervisor)
                supervisor.run()
            except StopAsked:
                pass  # a signal during the start: what runs already is stopped below
            finally:
                remove_facts(var)
                if supervisor.children:
                    _say("stopping")
                supervisor.stop()
        _say("stopped")
    except CannotStart as trouble:
        print(f"headway: {trouble}", file=sys.stderr)
        return 1
    except OSError as refusal:
        print(f"headway: the state folder {var} cannot be used: {refusal}", file=sys.stderr)
        return 1
    return 0


def _start(options: Options, supervisor: Supervisor) -> None:
    began = time.monotonic()
    var = options.var
    remove_facts(var)
    killed = (var / PROCESSES).exists()
    if killed:
        _say("an earlier run was killed; tidying up after it")
    chosen = ports.preflight(options, patience=HEAL_WITHIN if killed else 0.0)
    supervisor.check_stop()

    _say("preparing the database")
    accounts.prepare(var)
    supervisor.check_stop()

    _say("loading the policy" if options.demo else "opening the environment")
    tenants = policy.install(chosen, demo=options.demo)
    cast = draw_cast(policy.give_keys(tenants)) if options.demo else None
    anybody = accounts.install(cast)
    serial = policy.release()
    state = var / "gateway"
    policy.enrol(state, chosen.console_url)
    accounts.leave()
    supervisor.check_stop()

    specs = [
        crew.web(chosen, var),
        crew.gateway(chosen, state, serial=serial, workers=options.gateway_workers),
    ]
    supervisor.start([crew.fleet(chosen, options.profile), *specs] if options.demo else specs)
    if cast is not None:
        keys = write_facts(var, chosen, cast)
        supervisor.start([crew.demo(chosen, keys)])
    _say(f"everything answers after {time.monotonic() - began:.1f} s; Ctrl-C stops it")
    print(summary(chosen, cast, var=var, anybody=anybody), flush=True)


def summary(chosen: Ports, cast: Cast | None, *, var: Path, anybody: bool) -> str:
    """Where everything is and how to get in, to read and to paste."""
    lines = [
        "",
        f"  Console      {chosen.console_url}",
        f"  Gateway      {chosen.gateway_url}/v1    (OpenAI-compatible)",
        f"  Decisions    {chosen.admin_url}/decisions/<x-request-id>",
        f"  Logs, state  {var}",
        "",
    ]
    if cast is None:
        if not anybody:
            elsewhere = "" if var == ROOT / "var" else f"{VAR_VARIABLE}={var} "
            lines += [
                "  Nobody can sign in yet. Create the first administrator:",
                f"      {elsewhere}{sys.executable} {ROOT / 'manage.py'} createsuperuser",
                "",
            ]
        return "\n".join(lines)
    first = cast.tenants[0]
    people = [cast.operator, cast.approver, *(tenant.sign_in for tenant in cast.tenants)]
    lines += [
        "  Sign-ins of this start (from this machine only):",
        *(f"      {who.username:<12} {who.password}" for who in people),
        "",
        f"  {first.name}'s API key: {first.api_key}",
        "",
        f"  curl {chosen.gateway_url}/v1/chat/completions \\",
        f"    -H 'Authorization: Bearer {first.api_key}' \\",
        "    -H 'Content-Type: application/json' \\",
        f'''    -d '{{"model": "{crew.MODEL}", "messages": [{{"role": "user", "content": "Hello"}}]}}' ''',
        "",
    ]
    return "\n".join(lines)


def _say(line: str) -> None:
    try:
        print(f"headway: {line}", flush=True)
    except BrokenPipeError:
        # Nobody reads any more; what runs must still be stopped in order.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
