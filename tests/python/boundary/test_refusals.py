"""What cannot work is refused, and says why: copies of what is open, and several interpreters in one process."""

import copy
import pickle
from collections.abc import Callable, Iterator

import pytest

import telewire
import telewire.aio
from processes import run_python


@pytest.fixture(scope="module")
def things(embedded: str) -> Iterator[dict[str, object]]:
    with telewire.connect(embedded, domain="Refusals") as client, client.create_session("CarA") as session:
        reader = client.read(mode="live")
        yield {
            "client": client,
            "session": session,
            "stream": session.stream("S"),
            "writer": client.packet_writer(),
            "reader": reader,
            "windows": reader.windows(),
            "watch": client.watch_sessions(),
            "merger": client.merger(),
            "aio client": telewire.aio.Client(client),
        }


NAMES = ("client", "session", "stream", "writer", "reader", "windows", "watch", "merger", "aio client")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_what_is_open_is_not_copied(things: dict[str, object], name: str, how: Callable[[object], object]) -> None:
    if how is copy.copy:
        # Both names mean one connection, as with every other object that holds a resource.
        assert type(how(things[name])) is type(things[name])
        return
    with pytest.raises(TypeError, match=r"cannot pickle '(telewire\._core\.)?\w+' object"):
        how(things[name])


def test_another_interpreter_in_the_process_is_refused_clearly() -> None:
    program = """
        import sys
        ATTEMPT = "try:\\n import telewire\\nexcept ImportError as error:\\n print('refused:', error, flush=True)"
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _interpreters as interpreters
        import telewire
        other = interpreters.create()
        try:
            interpreters.run_string(other, ATTEMPT)
        finally:
            interpreters.destroy(other)
        print("goes on with", telewire.Broker().address)
    """
    said = run_python(program).stdout
    assert "refused:" in said
    # Said by numpy or by us, whoever is asked first.
    assert "more than once per process" in said or "interpreter" in said
    assert "goes on with 127.0.0.1:" in said
