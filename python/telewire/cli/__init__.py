"""The `telewire` command.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no broker answered, 130 interrupted.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Runs the command with the process's arguments; never returns."""
    import sys

    try:
        from telewire.cli.app import app

        app()
    except KeyboardInterrupt:
        # Before the verb began, or while it was being left: verbs say it themselves (see `exits`).
        sys.stderr.write("telewire: interrupted\n")
        sys.exit(130)
