"""Can this command line be read without Typer building a parser for it?

Typer makes a pydantic adapter of every parameter, which takes longer than to check a policy. Most command
lines are plain: known options with their values, and the arguments. Those are read here, from the same
signature; whatever is not plain (help, a mistake, a number to convert, completion) is left to Typer, so
that nothing is said twice.
"""

from __future__ import annotations

import enum
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, NoReturn, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

INTERRUPTED = 130
TELLS_NOTHING = frozenset(
    {
        *("default", "help", "metavar", "param_decls", "rich_help_panel", "show_default", "hidden"),
        *("min", "max", "envvar"),
    }
)
"""What may be said of a parameter without changing how a text is read: a variable only while it is set."""


class _Parameter(NamedTuple):
    name: str
    kind: Any
    """``str``, ``bool``, ``Path`` or an enumeration; ``None`` when only Typer can read it."""
    options: tuple[str, ...]
    """How it is spelled; none for an argument."""
    required: bool


def read(command: Callable[..., Any], words: Sequence[str]) -> dict[str, Any] | None:
    """The arguments to call a command with, or ``None`` when its command line is not plain."""
    parameters = _parameters(command)
    if parameters is None:
        return None
    by_option = {option: p for p in parameters for option in p.options}
    waiting = [p for p in parameters if not p.options]
    found: dict[str, Any] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-") or word == "-":
            if not waiting or waiting[0].kind is None:
                return None
            parameter, value = waiting.pop(0), word
        else:
            name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
            known = by_option.get(name)
            if known is None or known.kind is None or (known.kind is bool and equals):
                return None
            parameter = known
            if parameter.kind is bool:
                found[parameter.name] = True
                continue
            if not equals:
                if not left or left[0].startswith("-"):
                    return None
                value = left.pop(0)
        try:
            found[parameter.name] = parameter.kind(value)
        except ValueError:  # no value of the enumeration: Typer says which there are
            return None
    return None if any(p.required and p.name not in found for p in parameters) else found


def run(command: Callable[..., Any], arguments: dict[str, Any]) -> NoReturn:
    """Call a command and end the process as Typer would."""
    try:
        command(**arguments)
        sys.stdout.flush()
    except typer.Exit as ended:
        raise SystemExit(ended.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except (typer.Abort, EOFError):
        print("Aborted!", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Nobody reads any more; what is still buffered must not fail again as the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    raise SystemExit(0)


def _parameters(command: Callable[..., Any]) -> list[_Parameter] | None:
    """``None`` when one of them may have its value from elsewhere: a variable, a question, a callback."""
    hints = get_type_hints(command, include_extras=True)
    made: list[_Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kind, info = hints[name], None
        if get_origin(kind) is Annotated:
            kind, info, *_ = get_args(kind)
        options: tuple[str, ...] = ()
        if not isinstance(info, ArgumentInfo | OptionInfo) or not _says_no_more(info):
            return None
        readable = True
        if isinstance(info, OptionInfo):
            spelled = _spelled(info)
            options = spelled or (f"--{name.replace('_', '-')}",)
            # A flag without a spelling of its own has a counterpart, which only Typer knows.
            readable = not any("/" in o for o in options) and (kind is not bool or bool(spelled))
        required = parameter.default is inspect.Parameter.empty
        made.append(_Parameter(name, _kind(kind) if readable else None, options, required))
    return made


def _spelled(info: OptionInfo) -> tuple[str, ...]:
    """The spellings given: within ``Annotated`` the first of them stands where a default would."""
    first = (info.default,) if isinstance(info.default, str) else ()
    return (*first, *(info.param_decls or ()))


def _kind(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        hint = next(iter([part for part in get_args(hint) if part is not type(None)]), None)
    plain = hint in (str, bool, Path) or (isinstance(hint, type) and issubclass(hint, enum.Enum))
    return hint if plain else None


def _says_no_more(info: ArgumentInfo | OptionInfo) -> bool:
    if isinstance(info.envvar, str) and os.environ.get(info.envvar):
        return False
    usual = vars(typer.Argument() if isinstance(info, ArgumentInfo) else typer.Option())
    return all(usual[key] == value for key, value in vars(info).items() if key not in TELLS_NOTHING)
