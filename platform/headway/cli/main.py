"""What can the ``headway`` command do? One table; a command's module is imported only when it runs."""

from __future__ import annotations

import gc
import importlib
import os
import sys

import compiled
from headway.cli import plain

# name -> (module, what it is for). A module offers `command` (a function) or `app` (a typer.Typer).
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("headway.cli.up", "Run everything on this machine."),
    "check": ("headway.cli.check", "Check a policy set: every mistake, with its place."),
    "test": ("headway.cli.test", "Run a policy set's expectations."),
    "diff": ("headway.cli.diff", "Say what one policy set changes in another."),
    "explain": ("headway.cli.explain", "Explain a diagnostic's code."),
    "fmt": ("headway.cli.fmt", "Write a policy set in canonical form, comments kept."),
    "schema": ("headway.cli.schema", "Print the JSON Schema of policy documents, for editors."),
    "build": ("headway.cli.build", "Compile a policy set into a bundle, and sign it."),
    "keygen": ("headway.cli.keygen", "Make a signing key."),
    "sign": ("headway.cli.sign", "Add a signature to a bundle's."),
    "inspect": ("headway.cli.inspect", "Show what a bundle holds."),
    "verify": ("headway.cli.verify", "Verify a bundle's signature and every byte in it."),
    "plan": ("headway.cli.plan", "Show what a console would do with a policy set."),
    "apply": ("headway.cli.apply", "Do what was planned, and wait until gateways acknowledge."),
    "status": ("headway.cli.status", "Show what an environment should run, and what does."),
    "rollback": ("headway.cli.rollback", "Have an earlier release's bundle run again."),
    "credit": ("headway.cli.credit", "Give a tenant more of a limit, once, or all of it again."),
    "override": ("headway.cli.override", "Sign and apply emergency measures by hand."),
    "simulate": ("headway.cli.simulate", "Simulate a policy under a trace, or two against each other."),
    "calibrate": ("headway.cli.calibrate", "Fit a replica's capacity profile to what was measured."),
    "gateway": ("headway.cli.gateway", "Run a gateway."),
    "simfleet": ("headway.cli.simfleet", "Run simulated replicas."),
    "replay": ("headway.cli.replay", "Replay a request trace against a gateway."),
    "audit": ("headway.cli.audit", "Prove that nobody altered the record of who did what."),
    "ledger": ("headway.cli.ledger", "Prove that the usage ledger adds up."),
    "reset": ("headway.cli.reset", "Clear local state, after asking."),
}


SHORT = frozenset({"check", "test", "diff", "explain", "fmt", "schema", "build", "sign", "inspect", "verify"})
"""Commands that read, answer and end."""
LASTING = frozenset({"gateway", "simulate"})
"""Commands that live from the speed of a decision."""
COMPLETION = "_HEADWAY_COMPLETE"
"""Set by a shell that asks what could come next."""


PARSER = "headway.cli.parser"
"""What reads a command line that is not plain; named, not imported, as the commands are."""


def main() -> None:
    words = sys.argv[1:]
    if words == ["--version"]:
        print_version()
        return
    if words and words[0] in SHORT:
        gc.disable()  # nothing worth collecting before it ends; on a large policy a third of the time
    if words and words[0] in LASTING and compiled.stand_in() == "outdated":
        print("headway: sources changed since `make compiled`; running them interpreted", file=sys.stderr)
    module = COMMANDS[words[0]][0] if words and words[0] in COMMANDS else ""
    command = getattr(importlib.import_module(module), "command", None) if module else None
    if command is not None and COMPLETION not in os.environ:
        arguments = plain.read(command, words[1:])
        if arguments is not None:
            plain.run(command, arguments)
    importlib.import_module(PARSER).app(prog_name="headway", args=words)


def print_version() -> None:
    """The version of what is installed, and how its decisions run."""
    version = importlib.import_module("importlib.metadata").version("headway")
    print(f"headway {version} ({compiled.standing()})")
