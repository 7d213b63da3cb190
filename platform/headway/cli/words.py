"""How does a command say what may be written after its name, without loading what reads it?

    def command(
        path: Annotated[str, Argument(help="A file.")],
        at: Annotated[str, Option(help="When.")] = "",
    ) -> None: ...

A plain command line is read from this alone (``plain``); ``parser`` makes Typer's words of it where help,
completion or a mistake has to be told. A command ends by ``raise SystemExit(code)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Argument:
    """A word by its place."""

    __slots__ = ("among", "envvar", "help", "metavar")

    def __init__(
        self,
        *,
        help: str,
        metavar: str | None = None,
        envvar: str | None = None,
        among: Callable[[], Iterable[str]] | None = None,
    ) -> None:
        self.help = help
        self.metavar = metavar
        self.envvar = envvar
        self.among = among
        """The words it can be, for a shell that completes it."""


class Option(Argument):
    """A word by its name; spelled ``--name`` as its parameter unless said otherwise."""

    __slots__ = ("max", "min", "spelled")

    def __init__(
        self,
        *spelled: str,
        help: str,
        metavar: str | None = None,
        envvar: str | None = None,
        min: float | None = None,
        max: float | None = None,
    ) -> None:
        super().__init__(help=help, metavar=metavar, envvar=envvar)
        self.spelled = spelled
        self.min = min
        self.max = max
