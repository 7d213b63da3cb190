"""``headway ledger``: does the record of what was used still hold, and are its totals its events' sums?"""

from __future__ import annotations

import os
import sys

import typer

BROKEN, COULD_NOT_RUN = 1, 2
SHOWN = 20

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="The record of what was used."
)


@app.callback()
def root() -> None:
    """The record of what was used."""


@app.command()
def verify() -> None:
    """Read every event: digests, chains, totals, prices. Exit 0 it holds, 1 it does not, 2 could not run."""
    _set_up()
    from django.db import Error

    from ledger.verification import verify as prove

    try:
        report = prove()
    except Error as error:
        print(f"headway ledger verify: {error}", file=sys.stderr)
        raise typer.Exit(COULD_NOT_RUN) from None
    for problem in report.problems[:SHOWN]:
        print(problem)
    print(f"{report.events} events of {report.days} tenant-days, {report.quarantined} quarantined")
    if report.differing:
        money = report.difference_nano / 1_000_000_000
        print(f"{report.differing} events cost other than their gateway charged: {money:+.6f} in all")
    print("The ledger holds." if report.holds else f"{len(report.problems)} problems.")
    if not report.holds:
        raise typer.Exit(BROKEN)


@app.command()
def rebuild() -> None:
    """Make every total anew, from the events."""
    _set_up()
    from datetime import timedelta

    from django.db.models import Max, Min

    from ledger.models import UsageEvent
    from ledger.periods import instant
    from ledger.rollups import rebuild as make_anew

    bounds = UsageEvent.objects.order_by().values("environment")
    for row in bounds.annotate(first=Min("occurred_us"), last=Max("occurred_us")):
        since, until = instant(row["first"]), instant(row["last"]) + timedelta(microseconds=1)
        count = make_anew(environment=row["environment"], since=since, until=until)
        print(f"{row['environment']}: totals made of {count} events")


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "headway.settings.base")
    import django

    django.setup()
