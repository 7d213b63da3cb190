"""Can this command line be read without Typer?

Loading Typer, and having it make an adapter of every parameter, takes longer than to check a policy. Most
command lines are plain: known options with their values, and the arguments. Those are read here, from the
same signature; whatever is not plain (help, a mistake, a number to convert, completion) is left to Typer, so
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
from typing import Any, NamedTuple, NoReturn, Union, get_args, get_origin, get_type_hints

from headway.cli.words import Option

INTERRUPTED = 130


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
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except EOFError:  # a question that nobody is there to answer
        print("Aborted!", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Nobody reads any more; what is still buffered must not fail again as the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    raise SystemExit(0)


def _parameters(command: Callable[..., Any]) -> list[_Parameter] | None:
    """``None`` when one of them has its value from a variable, which only Typer reads."""
    hints = get_type_hints(command, include_extras=True)
    made: list[_Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kind, said, *_ = get_args(hints[name])
        if said.envvar and os.environ.get(said.envvar):
            return None
        options: tuple[str, ...] = ()
        readable = True
        if isinstance(said, Option):
            options = said.spelled or (f"--{name.replace('_', '-')}",)
            # A flag without a spelling of its own has a counterpart, which only Typer knows.
            readable = not any("/" in o for o in options) and (kind is not bool or bool(said.spelled))
        required = parameter.default is inspect.Parameter.empty
        made.append(_Parameter(name, _kind(kind) if readable else None, options, required))
    return made


def _kind(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        hint = next(iter([part for part in get_args(hint) if part is not type(None)]), None)
    plain = hint in (str, bool, Path) or (isinstance(hint, type) and issubclass(hint, enum.Enum))
    return hint if plain else None
