"""How a command ends: one clear line for every error of telewire, and an exit code that scripts can use."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Final, NoReturn, ParamSpec, TypeVar

import typer

from telewire.cli.text import safe

P = ParamSpec("P")
R = TypeVar("R")

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
INTERRUPTED: Final = 130

_USAGE_CODES: Final = {"config", "invalid", "name", "import_refused"}


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Prints one line on standard error and ends the command."""
    sys.stderr.write(f"telewire: {safe(message)}\n")
    raise typer.Exit(code)


def exit_code(error: Exception) -> int:
    """The exit code for an error of telewire."""
    code = getattr(error, "code", "")
    if code == "unreachable":
        return UNREACHABLE
    return USAGE if code in _USAGE_CODES else FAILED


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turns errors of telewire into one line and an exit code; programming errors keep their traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        from telewire.errors import TelewireError

        try:
            return command(*args, **kwargs)
        except TelewireError as error:
            fail(str(error), exit_code(error))
        except KeyboardInterrupt:
            sys.stderr.write("telewire: interrupted\n")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of our output went away (`| head`): nothing more to say, and nobody to say it to.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from None

    return run
