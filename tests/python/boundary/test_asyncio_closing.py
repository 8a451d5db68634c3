"""The asynchronous twins at their ends: closed before use, closed while they begin, and what a failed fetch leaves."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import telewire
import telewire.aio
from processes import wait_until

READS: dict[str, Callable[[telewire.aio.Client], Any]] = {
    "reader": lambda client: client.read(mode="live"),
    "essentials": lambda client: client.read_essentials(data_source="CarA", mode="live"),
    "blocks": lambda client: client.read(mode="live").blocks(),
    "windows": lambda client: client.read(mode="live").windows(),
    "resample": lambda client: client.read(mode="live").resample(10.0),
    "watch_sessions": lambda client: client.watch_sessions(),
    "watch_formats": lambda client: client.watch_formats(),
}


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "telewire-aio"]


async def no_thread_left() -> None:
    await asyncio.to_thread(wait_until, lambda: workers() == [], 10, "no thread is left")


async def everything(things: AsyncIterator[Any]) -> list[Any]:
    return [thing async for thing in things]


@pytest.mark.parametrize("name", READS)
@pytest.mark.asyncio
async def test_what_is_closed_before_its_first_use_never_begins(embedded: str, domain: str, name: str) -> None:
    async with telewire.aio.connect(embedded, domain=domain) as client:
        things = READS[name](client)
        await things.close()
        assert things.closed
        assert await asyncio.wait_for(everything(things), 5) == []
        await things.close()
        with pytest.raises(telewire.ClosedError, match="is closed"):
            await things.__aenter__()
        await no_thread_left()


@pytest.mark.parametrize("name", READS)
@pytest.mark.asyncio
async def test_what_is_closed_while_it_begins_ends(
    embedded: str, domain: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    begun: list[Any] = []

    def slow(original: Callable[..., Any]) -> Callable[..., Any]:
        def begin(*arguments: Any, **options: Any) -> Any:
            assert go_on.wait(20)
            begun.append(original(*arguments, **options))
            return begun[-1]

        return begin

    for method in ("read", "read_essentials", "watch_sessions", "watch_formats"):
        monkeypatch.setattr(telewire.Client, method, slow(getattr(telewire.Client, method)))
    async with telewire.aio.connect(embedded, domain=domain) as client:
        things = READS[name](client)
        iteration = asyncio.create_task(everything(things))
        await asyncio.sleep(0.05)
        await things.close()
        go_on.set()
        assert await asyncio.wait_for(iteration, 5) == []
    # What had been on its way is not left open.
    wait_until(lambda: len(begun) == 1 and begun[0].closed, 10, "it is closed on arrival")
    wait_until(lambda: workers() == [], 10, "no thread is left")


async def ends_by(embedded: str, domain: str, name: str, close: Callable[[Any], Awaitable[object]]) -> None:
    """An iteration that waits is ended by `close`, at once and with its thread."""
    async with telewire.aio.connect(embedded, domain=domain) as client:
        things = READS[name](client)
        iteration = asyncio.create_task(everything(things))
        await asyncio.sleep(0.3)
        begin = time.monotonic()
        await close(things)
        assert await asyncio.wait_for(iteration, 5) == []
        assert time.monotonic() - begin < 2
        await no_thread_left()


@pytest.mark.parametrize("name", READS)
@pytest.mark.asyncio
async def test_closing_from_another_task_ends_an_iteration_and_its_thread(
    embedded: str, domain: str, name: str
) -> None:
    await ends_by(embedded, domain, name, lambda things: asyncio.gather(things.close(), things.close()))


@pytest.mark.parametrize("name", ["blocks", "windows", "resample"])
@pytest.mark.asyncio
async def test_closing_the_reader_alone_ends_the_thread_of_what_reads_through_it(
    embedded: str, domain: str, name: str
) -> None:
    await ends_by(embedded, domain, name, lambda things: things.reader.close())


@pytest.mark.parametrize("name", ["reader", "watch_sessions"])
@pytest.mark.asyncio
async def test_a_failed_fetch_is_raised_once_and_the_iteration_goes_on(
    embedded: str, domain: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[int] = []

    def once(original: Any) -> Any:
        def fetch(self: Any, *arguments: Any) -> Any:
            if not failed:
                failed.append(1)
                raise telewire.KafkaError("wanted")
            return original(self, *arguments)

        return fetch

    monkeypatch.setattr(telewire.Reader, "fetch", once(telewire.Reader.fetch))
    monkeypatch.setattr(telewire.SessionWatch, "next", once(telewire.SessionWatch.next))
    async with telewire.aio.connect(embedded, domain=domain) as client, READS[name](client) as things:
        with pytest.raises(telewire.KafkaError, match="wanted"):
            await anext(things)
        async with client.create_session("CarA") as session:
            await session.packet("T", b"x")
        found = await asyncio.wait_for(anext(things), 10)
        assert (found.session_key if name == "reader" else found.session.key) == session.key


@pytest.mark.asyncio
async def test_several_tasks_begin_a_reader_once(embedded: str, domain: str) -> None:
    async with telewire.aio.connect(embedded, domain=domain) as client:
        async with client.create_session("CarA") as session:
            await session.packet("T", b"x")
        begun: list[object] = []
        blocking = client.blocking
        made = telewire.aio.Reader(lambda: begun.append(1) or blocking.read(session.key))  # type: ignore[func-returns-value]
        async with made:
            infos = await asyncio.gather(*(made.session() for _ in range(5)))
            assert {info.key for info in infos if info} == {session.key}
            assert len(await everything(made)) > 0
        assert begun == [1]


@pytest.mark.asyncio
async def test_a_reader_that_was_left_to_the_collector_leaves_no_thread(embedded: str, domain: str) -> None:
    async with telewire.aio.connect(embedded, domain=domain) as client:
        async with client.create_session("CarA") as session:
            await session.packet("T", b"x")
        reader = client.read(session.key)
        assert (await anext(reader)).session_key == session.key
        assert len(workers()) == 1
        del reader
        await no_thread_left()
