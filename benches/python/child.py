"""Processes of a bench: each answers requests, one line of JSON each way.

What is measured of a process is then all its own, its CPU time and its memory, and it starts warm in every round.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Self

from measuring import DEADLINE_S


class Child:
    """A process that runs a bench's own program with other arguments."""

    def __init__(self, program: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send(self, request: Any) -> None:  # noqa: ANN401 - what JSON can say
        """Ask, without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Wait for the answer to the oldest request without one."""
        assert self._process.stdout is not None
        # The library's own messages stand on lines of their own.
        line = next((line for line in self._process.stdout if line.startswith("{")), None)
        assert line is not None, "the process ended; its error is above"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, request: Any) -> dict[str, Any]:  # noqa: ANN401 - what JSON can say
        """Ask and wait."""
        self.send(request)
        return self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # At the end of its input it goes.
        self._process.communicate(timeout=DEADLINE_S)


def serve(answer: Callable[[Any], dict[str, Any]]) -> None:
    """The other end: answers until its input ends."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
