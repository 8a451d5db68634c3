"""The writer and reader processes of a run: started, watched, told to finish, killed; none outlives the run."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from ledger import Noted, Pages, Wrong
from orders import FINISH

HERE: Final = Path(__file__).resolve().parent


class Worker:
    """A writer or a reader in a process of its own, with its ledger.

    It ends by itself when this process is gone, also by `kill -9`: its standard input closes then.
    """

    def __init__(self, script: str, name: str, folder: Path, *arguments: str) -> None:
        self.name = name
        path = folder / f"{name}.ledger"
        self.pages = Pages(path)
        self.killed = False
        self._log = folder / f"{name}.log"
        command = [sys.executable, "-X", "faulthandler", str(HERE / script), *arguments, "--ledger", str(path)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def look(self) -> list[Noted]:
        """What it noted since the last look.

        Raises:
            AssertionError: It ended by itself, or noted that something went wrong.
        """
        ended = self._process.poll()
        fresh = self.pages.turn()
        for noted in fresh:
            assert not isinstance(noted.entry, Wrong), f"{self.name}: {noted.entry.what}"
        assert ended is None or self.killed or ended == 0, f"{self.name} ended with {ended}:\n{self.log()}"
        return fresh

    def log(self) -> str:
        """The end of what it printed."""
        return self._log.read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """`kill -9`."""
        self.killed = True
        self._process.kill()
        self._process.wait()
        self.pages.turn()
        self._close()

    def ask_to_finish(self) -> None:
        """Tell it to finish; see `finished`."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(f"{FINISH}\n".encode())
            self._process.stdin.flush()

    def finish(self, timeout_s: float) -> None:
        """Tell it to finish and wait for it.

        Raises:
            AssertionError: It does not end in time, or with an error.
        """
        self.ask_to_finish()
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.send_signal(6)  # SIGABRT: the fault handler writes where every thread is.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
            raise AssertionError(f"{self.name} did not finish within {timeout_s:g} s:\n{self.log()}") from None
        finally:
            self.pages.turn()
        assert code == 0, f"{self.name} ended with {code}:\n{self.log()}"
        self._close()

    def abandon(self) -> None:
        """End it whatever it does; nothing happens when it has ended."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, 9)
        self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
