"""Programs in a process of their own, each with a deadline: nothing here can wait forever, and nothing stays behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress


def run_python(
    program: str, *arguments: str, timeout_s: float = 60.0, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a Python program to its end and return what it printed.

    Args:
        program: The source, indented as the test has it.
        arguments: Its `sys.argv[1:]`.
        timeout_s: Seconds after which it is killed and the test fails.
        env: Variables beside those of this process.

    Raises:
        AssertionError: When it ends with a code other than 0, or not in time; with its output.
    """
    with python_process(program, *arguments, env=env) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"the program did not end within {timeout_s:g} s:\n{out}{err}") from error
    assert process.returncode == 0, f"the program ended with {process.returncode}:\n{out}{err}"
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextmanager
def python_process(
    program: str, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start a Python program whose standard streams are pipes; leaving the block kills it and its children."""
    command = [sys.executable, "-X", "faulthandler", "-u", "-c", textwrap.dedent(program), *arguments]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | dict(env or {}),
        # A group of its own: a test's Ctrl-C (os.killpg) reaches it and not pytest.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: When it does not come true within the time.
    """
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie that waits for its parent."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")
