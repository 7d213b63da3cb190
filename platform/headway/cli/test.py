"""``headway test``: does the policy do what its author says it does?"""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from coordination.compiler import expectations
from coordination.compiler.catalogue import Catalogue
from coordination.compiler.checking import check_catalogue
from coordination.compiler.outcome import program_of
from coordination.diagnostics import Diagnostic, has_errors, in_reading_order, render_text
from coordination.program.records import VectorExpect
from coordination.scheduling import Placed
from coordination.spec import PolicySet, read
from coordination.spec.quantities import write_duration
from headway.cli import check
from headway.cli.artefacts import CouldNotRun, reporting
from headway.cli.terminal import wants_colour
from headway.cli.words import Argument, Option
from headway.cli.working import working


class OutputFormat(enum.StrEnum):
    text = "text"
    json = "json"


@dataclass(frozen=True, slots=True)
class Tested:
    """One expectation in one environment."""

    environment: str | None
    name: str
    place: str
    """``file:line:column``"""
    holds: bool
    sentence: str
    reasoning: list[str]
    found: VectorExpect
    placed: Placed | None
    """None for one that is refused."""


def command(
    path: Annotated[str, Argument(help="A file, a folder of .yaml/.yml/.json files, or - for stdin.")],
    output: Annotated[OutputFormat, Option("--format", help="How to print.")] = OutputFormat.text,
    at: Annotated[str, Option(help="Start of the timeline, RFC 3339; by default today 00:00Z.")] = "",
    environment: Annotated[str, Option(help="Only this one; by default each the files name.")] = "",
) -> None:
    """Run a policy set's expectations. Exit 0 all hold, 1 some do not, 2 they could not be run."""
    with reporting("test"):
        try:
            instant = check.instant_of(at)
            files = check.load_files(path)
        except check.CouldNotRun as problem:
            raise CouldNotRun(str(problem)) from None
        policy_set, misread = read(files)
        wanted: tuple[str | None, ...] = (environment,) if environment else tuple(policy_set.environments)
        catalogues = [Catalogue(policy_set, each, instant) for each in wanted or (None,)]
        _require_sound(policy_set, misread, catalogues)
    with working(f"asking the policy of {len(files)} files"):
        tested = [outcome for catalogue in catalogues for outcome in _outcomes(catalogue)]
    print(_as_json(tested) if output is OutputFormat.json else _as_text(tested), end="")
    raise SystemExit(0 if all(each.holds for each in tested) else 1)


def _require_sound(policy_set: PolicySet, misread: list[Diagnostic], catalogues: list[Catalogue]) -> None:
    """A broken policy cannot be asked anything: says why and ends the command."""
    between = [d for catalogue in catalogues for d in check_catalogue(catalogue, asking=False)]
    errors = [d for d in in_reading_order([*misread, *between]) if d.severity == "error"]
    if has_errors(errors):
        print(render_text(errors, policy_set.texts, colour=False), end="", file=sys.stderr)
        raise CouldNotRun("the policy has errors, so nothing could be asked of it")


def _outcomes(catalogue: Catalogue) -> Iterator[Tested]:
    program = catalogue.ask(program_of)
    for outcome in expectations.outcomes(catalogue):
        at = outcome.entry.locate("/spec/expect")
        yield Tested(
            environment=catalogue.environment,
            name=outcome.entry.name,
            place=f"{at.file}:{at.line}:{at.column}",
            holds=outcome.holds,
            sentence=_came(outcome.found, outcome.placed) if outcome.holds else outcome.sentence,
            reasoning=expectations.reasoning(program, outcome.request),
            found=outcome.found,
            placed=outcome.placed,
        )


def _came(found: VectorExpect, placed: Placed | None) -> str:
    """How it came out, for one that holds."""
    if placed is None:
        return f"refuse, {found.code}"
    lane = f", reservation {found.reservation}" if found.reservation != "none" else ""
    there = f", replica {placed.replica} ({placed.because})" if placed.replica else ""
    wait = f", wait at most {write_duration(placed.wait_us)}" if placed.wait_us else ""
    return f"{found.verdict} in tier {found.tier}, pool {found.pool}{lane}{there}{wait}"


def _as_text(tested: list[Tested]) -> str:
    if not tested:
        return "no expectations\n"
    good, bad, plain = ("\x1b[32m", "\x1b[1;31m", "\x1b[0m") if wants_colour() else ("", "", "")
    several = len({each.environment for each in tested}) > 1
    width = max(len(each.name) for each in tested)
    lines = []
    for each in tested:
        where = f"  [{each.environment}]" if several else ""
        if each.holds:
            lines.append(f"{good}holds{plain}  {each.name:<{width}}{where}  {each.sentence}")
            continue
        lines.append(f"{bad}FAILS{plain}  {each.name:<{width}}{where}  {each.place}")
        lines.append(f"       {each.sentence}")
        lines += [f"         {line}" for line in each.reasoning]
    failed = sum(not each.holds for each in tested)
    held = len(tested) - failed
    lines += ["", f"{held} of {len(tested)} hold" + (f", {failed} fail" if failed else "")]
    return "\n".join(lines) + "\n"


def _as_json(tested: list[Tested]) -> str:
    def row(each: Tested) -> dict[str, Any]:
        found, placed = each.found, each.placed
        return {
            "name": each.name,
            "environment": each.environment,
            "holds": each.holds,
            "place": each.place,
            "says": each.sentence,
            "found": {
                "verdict": found.verdict,
                "reason": placed.because if placed else found.code,
                "tier": found.tier,
                "pool": found.pool,
                "route": found.route,
                "reservation": found.reservation,
                "replica": placed and placed.replica,
                "wait_us": placed and placed.wait_us,
            },
            "reasoning": each.reasoning,
        }

    failed = sum(not each.holds for each in tested)
    report = {
        "ok": not failed,
        "expectations": [row(each) for each in tested],
        "summary": {"holds": len(tested) - failed, "fails": failed},
    }
    return json.dumps(report, indent=2) + "\n"
