"""The frame of the processes of a run: they keep a ledger, and take their orders from standard input.

An order is a line. When standard input closes, they end at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from ledger import Finished, Ledger, Wrong

FINISH = "finish"
ABANDONED = 3
"""Exit code of a process whose starter is gone."""


def arguments(what: str | None) -> argparse.ArgumentParser:
    """A parser of what every process is given; `what` says what it does."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    return parser


def serve(given: argparse.Namespace, work: Callable[[argparse.Namespace, Ledger, threading.Event], None]) -> int:
    """Work until told to finish, by the event, and note how it ended.

    Returns:
        The exit code: 0, or 1 when the work raised.
    """
    stopping = threading.Event()
    obey(stopping.set)
    ledger = Ledger(given.ledger)
    try:
        work(given, ledger, stopping)
    except Exception:
        ledger.note(Wrong(traceback.format_exc()))
        return 1
    ledger.note(Finished())
    return 0


def obey(finish: Callable[[], None]) -> None:
    """Call `finish` when asked to; end the process when nobody is there to ask, so that nothing stays behind."""

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == FINISH:
                finish()
        os._exit(ABANDONED)

    threading.Thread(target=listen, name="orders", daemon=True).start()
