"""What does Typer make of the table of commands: help, completion, and what is said of a mistake?

Loaded only for these, as it takes longer to load than a policy takes to check.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperGroup

from coordination.diagnostics import Nearest
from headway.cli.main import COMMANDS, print_version
from headway.cli.words import Argument, Option


class LazyCommands(TyperGroup):
    """Lists every command without importing any of them.

    Its arguments are Click's, which Typer carries inside itself under no public name: hence ``Any``.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(entry[0])
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command(name=cmd_name)(spelled_out(module.command))
        found: Any = typer.main.get_command(app)
        found.name = cmd_name
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As Click does, but for a word that is nearly a command."""
        near = Nearest(COMMANDS).to(args[0]) if args[0] not in COMMANDS else None
        if near is not None and not ctx.resilient_parsing:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{near}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in COMMANDS.items()])


app = typer.Typer(
    cls=LazyCommands,
    add_completion=True,
    no_args_is_help=True,
    help="The coordination console for GPU serving fleets.",
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        print_version()
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The coordination console for GPU serving fleets."""


def spelled_out(command: Callable[..., None]) -> Callable[..., None]:
    """A command as Typer takes it: our words in its signature replaced by Typer's."""
    hints = {name: _typed(hint) for name, hint in get_type_hints(command, include_extras=True).items()}
    signature = inspect.signature(command)

    @functools.wraps(command)
    def called(**arguments: Any) -> None:
        command(**arguments)

    del called.__wrapped__  # Typer would look through it, at the words it does not know
    called.__annotations__ = hints
    called.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[p.replace(annotation=hints[name]) for name, p in signature.parameters.items()],
        return_annotation=None,
    )
    return called


def _typed(hint: Any) -> Any:
    if get_origin(hint) is not Annotated:
        return hint
    kind, said, *_ = get_args(hint)
    common = {"help": said.help, "metavar": said.metavar, "envvar": said.envvar}
    if isinstance(said, Option):
        return Annotated[kind, typer.Option(*said.spelled, min=said.min, max=said.max, **common)]
    if not isinstance(said, Argument):
        return hint
    return Annotated[kind, typer.Argument(**common, autocompletion=_completing(said))]


def _completing(said: Argument) -> Callable[[str], list[str]] | None:
    """What a shell may offer in the place of a word that is one of a few."""
    among = said.among
    if among is None:
        return None

    def begin(incomplete: str) -> list[str]:
        return [word for word in among() if word.startswith(incomplete)]

    return begin
