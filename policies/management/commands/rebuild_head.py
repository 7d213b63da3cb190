"""``manage.py rebuild_head ENVIRONMENT [--check]``: does the index say what the revision says?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation.actors import SYSTEM
from foundation.http import Refused
from policies.services import rebuild_head

SHOWN = 20


class Command(BaseCommand):
    help = "Compare the index of current documents with the current revision, and make it anew."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("environment")
        parser.add_argument("--check", action="store_true", help="Only compare; exit 1 if they differ.")

    def handle(self, *_args: Any, environment: str, check: bool, **_options: Any) -> None:
        try:
            difference = rebuild_head(actor=SYSTEM, environment=environment, check=check)
        except Refused as refused:
            raise CommandError(refused.detail) from None
        for word, rows in (("missing", difference.missing), ("surplus", difference.surplus)):
            for row in rows[:SHOWN]:
                self.stdout.write(f"{word}: {row}")
        if difference.none:
            self.stdout.write(f"{environment}: the index says what the revision says")
        elif check:
            count = len(difference.missing) + len(difference.surplus)
            raise CommandError(f"{environment}: the index differs from the revision in {count} rows")
        else:
            self.stdout.write(f"{environment}: the index was made anew")
