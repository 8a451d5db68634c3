"""Runs the programs of dropin/programs as their users do: from a file of their own, with Enter and Ctrl-C.

What a program prints is collected as it comes; each wait has a deadline and fails with everything printed so far.
"""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import python_process

PROGRAMS = Path(__file__).parent / "dropin" / "programs"
DEADLINE_S = 60.0
# Twice what the library may take to stop, for a loaded machine: a program that ends does so in this time.
EXIT_S = 20.0
# Where a line of the library's log begins behind something else: Python's print writes the end of its line by itself,
# and another thread's line may come between.
LOGGED = re.compile(r"(?<=.)(?=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 [A-Z]+: )")


def source(name: str, **constants: str) -> str:
    """A program with some of its constants changed.

    Args:
        name: File in the folder of programs, without its suffix.
        constants: Python source of the new value of each constant.

    Raises:
        AssertionError: The program has no such constant.
    """
    text = (PROGRAMS / f"{name}.py").read_text()
    for constant, value in constants.items():
        found = re.findall(rf"^{constant}\b[^=\n]* = .*$", text, flags=re.MULTILINE)
        assert len(found) == 1, f"{name}.py has {len(found)} constants {constant}"
        text = text.replace(f"\n{found[0]}\n", f"\n{found[0].partition(' = ')[0]} = {value}\n")
    return text


class Program:
    """A running program."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self._process = process
        self._name = name
        self._changed = threading.Condition()
        self._open = 2
        self.lines: list[str] = []
        self.errors: list[str] = []
        for pipe, into in ((process.stdout, self.lines), (process.stderr, self.errors)):
            threading.Thread(target=self._pump, args=(pipe, into), daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _pump(self, pipe: Iterator[str], into: list[str]) -> None:
        mixed = False
        for line in pipe:
            pieces = LOGGED.split(line.rstrip("\n"))
            with self._changed:
                # The end of a line that another line had come into.
                if not (mixed and pieces == [""]):
                    into.extend(pieces)
                mixed = len(pieces) > 1
                self._changed.notify_all()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def wait_for(self, pattern: str, count: int = 1, timeout_s: float = DEADLINE_S) -> re.Match[str]:
        """Wait until `count` lines of standard output have matched; the last of these matches."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                found = [match for line in self.lines if (match := re.search(pattern, line))]
                if len(found) >= count:
                    return found[count - 1]
                left = end - time.monotonic()
                if left <= 0 or self._open == 0:
                    raise AssertionError(f"{len(found)} times {pattern!r} instead of {count}: {self.story()}")
                self._changed.wait(left)

    def press_enter(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def press_ctrl_c(self) -> None:
        os.kill(self.pid, signal.SIGINT)

    def finish(self, code: int = 0, timeout_s: float = EXIT_S) -> float:
        """Wait until it has ended by itself and check its exit code; the seconds that took."""
        begin = time.monotonic()
        try:
            ended = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # faulthandler then prints where it hangs
            self._process.wait(10)
            raise AssertionError(f"did not end within {timeout_s:g} s: {self.story()}") from None
        took = time.monotonic() - begin
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0, 10)
        assert ended == code, f"ended with {ended} instead of {code}: {self.story()}"
        return took

    def story(self) -> str:
        """What it printed, its last lines at least."""
        return "\n".join([self._name, *self.lines[-200:], "standard error:", *self.errors[-200:]])


@contextmanager
def running(program: str, *arguments: str, name: str = "", env: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run a program's source; leaving the block kills what still runs."""
    with python_process(program, *arguments, env=env) as process:
        yield Program(process, name or "program")


@dataclass(frozen=True)
class Told:
    """What a program said of packets and events, in the order of its lines."""

    packets: list[tuple[str, int, str]]
    """Stream, id and type of each packet."""
    events: list[tuple[str, str]]
    """Name and rest of each event."""
    order: list[tuple[str, str]]
    """Both mixed: `packet` or the event's name, and the stream it concerns (`None` if none)."""

    def streams(self) -> dict[str, list[tuple[int, str]]]:
        """Ids and types of the packets of each stream, in their order."""
        streams: dict[str, list[tuple[int, str]]] = {}
        for stream, number, kind in self.packets:
            streams.setdefault(stream, []).append((number, kind))
        return streams

    def event_names(self) -> list[str]:
        return [name for name, _ in self.events]


def told(lines: list[str], session_key: str = "") -> Told:
    """Read the lines of a writer, or those of a reader that concern a session."""
    packets: list[tuple[str, int, str]] = []
    events: list[tuple[str, str]] = []
    order: list[tuple[str, str]] = []
    for line in lines:
        if session_key not in line and "wrote packet" not in line:
            continue
        if match := re.search(r"\bpacket (\d+) (\w+) (?:\S+ )?stream '(.*)'$", line):
            packets.append((match[3], int(match[1]), match[2]))
            order.append(("packet", match[3]))
        elif match := re.search(r"\bevent (\w+_\w+) (.*)$", line):
            stream = re.search(r"stream '(.*)'$", line)
            events.append((match[1], match[2]))
            order.append((match[1], stream[1] if stream else ""))
    return Told(packets, events, order)
