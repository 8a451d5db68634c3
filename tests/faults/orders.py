"""How the run talks to its writers and readers: lines on their standard input. When it closes, they end at once."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

FINISH = "finish"
ABANDONED = 3
"""Exit code of a process whose starter is gone."""


def obey(finish: Callable[[], None]) -> None:
    """Call `finish` when asked to; end the process when nobody is there to ask, so that nothing stays behind."""

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == FINISH:
                finish()
        os._exit(ABANDONED)

    threading.Thread(target=listen, name="orders", daemon=True).start()
